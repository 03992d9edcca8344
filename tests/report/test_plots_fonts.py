"""Texts in scripts that matplotlib's own font lacks: with a font that has them, and with none."""

from __future__ import annotations

import dataclasses
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from numpy.typing import NDArray
from PIL import Image, ImageFont

from nablab.data.dataset import make_dataset
from nablab.report import plots_fonts
from nablab.report.notebook_pictures import data_figure
from nablab.report.plots_confusion import confusion_figure
from nablab.report.plots_theme import new_figure

#: A character of a private plane, which no font but that of these tests has.
OURS, NOBODYS = "\U0010f123", "\U0010f124\U0010f125"
DPI = 100


@pytest.fixture
def font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A font on this machine whose only character is a triangle."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((1000, 0), (500, 900)):
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "triangle"])
    builder.setupCharacterMap({ord(OURS): "triangle"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "triangle": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "triangle": (1000, 0)})
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Tests of nablab", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=900)
    builder.setupPost()
    builder.save(tmp_path / "triangle.ttf")
    monkeypatch.setattr(fontManager, "ttflist", list(fontManager.ttflist))
    monkeypatch.setattr(plots_fonts, "_FAMILIES", {})
    fontManager.addfont(str(tmp_path / "triangle.ttf"))
    return tmp_path / "triangle.ttf"


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def drawn(figure: Figure) -> NDArray[np.uint8]:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, facecolor="white")
    return np.asarray(Image.open(file).convert("L"))


def figure_of(text: str) -> Figure:
    figure = new_figure(6, 1)
    figure.text(0.1, 0.5, text, fontsize=36, parse_math=False)
    return figure


def test_the_font_that_has_a_character_draws_it(font: Path) -> None:
    ink = 255 - drawn(figure_of(OURS)).astype(np.int64)
    mask = ImageFont.truetype(font, 36 * DPI // 72).getmask(OURS)
    pillows = np.array(mask, dtype=np.int64).reshape(mask.size[::-1])
    assert ink.sum() == pytest.approx(pillows.sum(), rel=0.02)
    inked = np.flatnonzero(ink.any(axis=1))
    assert inked[-1] - inked[0] + 1 == pytest.approx(pillows.shape[0], abs=1)


def test_code_points_stand_for_what_no_font_has(font: Path) -> None:
    assert plots_fonts.readable(f"a {NOBODYS}!") == "a U+10F124 10F125!"
    np.testing.assert_array_equal(drawn(figure_of(NOBODYS)), drawn(figure_of("U+10F124 10F125")))
    assert (drawn(figure_of(NOBODYS[0])) != drawn(figure_of(NOBODYS[1]))).any()


def test_joiners_alone_are_no_characters() -> None:
    assert plots_fonts.substitute("a\u200db", "猫") == "a\u200db"
    assert plots_fonts.substitute("a猫\ufe0f", "猫") == "aU+732B"


def test_plain_texts_keep_their_font() -> None:
    figure = figure_of("Bär, кошка, 3.0 µs")
    before = figure.texts[0].get_fontfamily()
    drawn(figure)
    assert figure.texts[0].get_fontfamily() == before
    assert figure.texts[0].get_text() == "Bär, кошка, 3.0 µs"


def test_an_svg_keeps_its_texts() -> None:
    file = io.StringIO()
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        figure_of(NOBODYS).savefig(file, format="svg")
    assert NOBODYS in file.getvalue()


def test_names_that_are_long_or_foreign_leave_room_for_the_matrix(view) -> None:
    confusion = view.sections[0].confusion
    names = ["L" * 120, NOBODYS, "$x_1$"]
    classes = [
        dataclasses.replace(one, name=names[k] if k < len(names) else one.name)
        for k, one in enumerate(confusion.classes)
    ]
    figure = confusion_figure(dataclasses.replace(confusion, classes=tuple(classes)), title=NOBODYS)
    drawn(figure)  # a warning of matplotlib's layout is an error here
    assert figure.axes[0].get_position().width > 0.4
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown[:3] == ["LLLLLLLLLLLL…LLLLLLLLLLL", "U+10F124 10F125", "$x_1$"]


@pytest.mark.parametrize("features", [1, 2])
@pytest.mark.parametrize(
    "names", [("_hidden", "$", "b"), ("$\\frac$", "$x_1$", "c"), ("猫", "a\u200db", "d")]
)
def test_points_of_classes_with_any_names_are_drawn(features: int, names: tuple[str, ...]) -> None:
    y = np.arange(30) % 3
    x = np.random.default_rng(0).normal(size=(30, features)).astype(np.float32)
    dataset = make_dataset("points", x, y, x, y, names, source="a test")
    figure = data_figure(dataset)
    drawn(figure)
    (axes,) = figure.axes
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert shown == [plots_fonts.readable(name) for name in names]
    if features == 1:
        assert [tick.get_text() for tick in axes.get_yticklabels()] == shown
