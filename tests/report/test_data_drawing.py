"""A data set as it is drawn: pixels and numbers read back from what terminal, file and notebook got."""

from __future__ import annotations

import re
from base64 import b64decode
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from nablab.data import load
from nablab.data.dataset import Dataset, make_dataset
from nablab.data.describe import MOST_CLASSES, Points, summary
from nablab.report.half_blocks import HalfBlocks, can_show
from nablab.report.html_data import data_html
from nablab.report.mosaic import mosaic, scaled
from nablab.report.plots_data import DPI, data_figure, write_figure
from nablab.report.terminal_data import fitting, render, scatter
from nablab.report.view_data import DataView, data_view

RNG = np.random.default_rng(0)


def dataset(
    classes: int = 3, channels: int = 1, size: tuple[int, int] = (10, 6), name: str = "<tiny>"
) -> Dataset:
    """The last class has one training image, the others four."""
    y = np.concatenate([np.repeat(np.arange(classes - 1), 4), [classes - 1]])
    x = RNG.integers(0, 256, (len(y), channels, *size)).astype(np.uint8)
    names = tuple(f"class <{label}>" for label in range(classes))
    return make_dataset(name, x, y, x[::2], y[::2], names, source="a test")


def view_of(data: Dataset, **options: object) -> DataView:
    return data_view(summary(data, **options))  # type: ignore[arg-type]


def console(width: int = 100, colours: str | None = "truecolor") -> Console:
    return Console(
        file=StringIO(), width=width, force_terminal=colours is not None, color_system=colours, _environ={}
    )  # type: ignore[arg-type]


def printed(view: DataView, width: int = 100, colours: str | None = "truecolor") -> str:
    page = console(width, colours)
    page.print(render(view))
    assert isinstance(page.file, StringIO)
    return page.file.getvalue()


# pictures in one


def test_small_pictures_are_enlarged_by_whole_numbers_and_large_ones_reduced() -> None:
    small = RNG.integers(0, 256, (3, 5)).astype(np.uint8)
    large = scaled(small, 17)
    assert large.shape == (9, 15, 3)
    np.testing.assert_array_equal(large[1::3, 1::3, 0], small)
    np.testing.assert_array_equal(large, np.repeat(np.repeat(small, 3, 0), 3, 1)[..., None].repeat(3, 2))
    reduced = scaled(np.full((100, 50, 3), 77, np.uint8), 20)
    assert reduced.shape == (20, 10, 3)
    assert (reduced == 77).all()


def test_a_mosaic_has_every_picture_in_its_place_and_nothing_between() -> None:
    pictures = RNG.integers(0, 256, (3, 4, 4, 3)).astype(np.uint8)
    out = mosaic([pictures[:2], pictures[2:]], 8, 3)
    assert out.shape == (8 + 3 + 8, 8 + 3 + 8, 4)
    for picture, (top, left) in zip(pictures, ((0, 0), (0, 11), (11, 0)), strict=True):
        np.testing.assert_array_equal(out[top : top + 8 : 2, left : left + 8 : 2, :3], picture)
    assert (out[..., 3] == 255).sum() == 3 * 64
    assert (out[11:, 8:, 3] == 0).all()
    assert mosaic([], 8, 3).size == 0


# terminal


@pytest.mark.parametrize("shape", [(6, 5), (7, 3), (1, 1)])
def test_the_pixels_of_a_terminal_picture_are_those_of_the_picture(shape: tuple[int, int]) -> None:
    picture = RNG.integers(0, 256, (*shape, 4)).astype(np.uint8)
    picture[..., 3] = RNG.choice([0, 255], shape)
    seen = np.zeros((shape[0] + shape[0] % 2, shape[1], 4), np.uint8)
    page = console()
    for line, segments in enumerate(page.render_lines(HalfBlocks(picture), pad=False)):
        column = 0
        for segment in segments:
            for character in segment.text:
                style = segment.style
                colours = {
                    "▀": (style and style.color, style and style.bgcolor),
                    "▄": (None, style and style.color),
                }
                for half, colour in enumerate(colours.get(character, (None, None))):
                    if colour is not None:
                        seen[2 * line + half, column] = (*colour.triplet, 255)  # type: ignore[misc]
                column += 1
    expected = picture.copy()
    expected[picture[..., 3] == 0] = 0
    np.testing.assert_array_equal(seen[: shape[0]], expected)
    assert (seen[shape[0] :] == 0).all()


@pytest.mark.parametrize(
    ("colours", "environment", "shown"),
    [
        ("truecolor", {}, True),
        ("256", {}, True),
        ("standard", {}, False),
        (None, {}, False),
        ("truecolor", {"NO_COLOR": "1"}, False),
    ],
)
def test_pictures_are_for_terminals_that_can(
    colours: str | None, environment: dict[str, str], shown: bool
) -> None:
    page = Console(
        file=StringIO(),
        force_terminal=True,
        color_system=colours,
        _environ=environment,  # type: ignore[arg-type]
    )
    assert can_show(page) is shown


def test_elsewhere_there_are_counts_in_plain_text() -> None:
    text = printed(view_of(dataset()), colours=None)
    assert "\x1b" not in text
    assert "▀" not in text
    lines = [line for line in text.splitlines() if line.startswith("class <")]
    assert [line.split()[:4] for line in lines] == [
        ["class", "<0>", "4", "2"],
        ["class", "<1>", "4", "2"],
        ["class", "<2>", "1", "1"],
    ]
    assert [line.count("━") for line in lines] == [40, 40, 10]


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (10, 60), (64, 64)])
@pytest.mark.parametrize("width", [60, 80, 140, 260])
@pytest.mark.parametrize("augmentation", ["", "shift:1"])
def test_it_fits_into_any_width(size: tuple[int, int], width: int, augmentation: str) -> None:
    view = view_of(dataset(size=size), examples=4, augmentation=augmentation)
    lines = console(width).render_lines(render(view), pad=False)
    assert max(sum(segment.cell_length for segment in line) for line in lines) <= width
    columns, side = fitting(view.columns, width - 14)
    assert [column.width for column in columns][1:] == [columns[1].width] * (len(columns) - 1)
    assert 1 <= columns[1].width <= 4
    assert side <= 28
    wide = fitting(view.columns, 2000)[0]
    assert [column.width for column in wide] == [1] + [4] * (len(view.columns) - 1)


@pytest.mark.parametrize(
    ("width", "side", "examples"),
    [(2000, 28, 4), (152, 28, 4), (140, 14, 4), (90, 14, 4), (70, 14, 3), (20, 14, 1)],
)
def test_pictures_become_smaller_before_they_become_fewer(width: int, side: int, examples: int) -> None:
    columns, found = fitting(view_of(dataset(size=(28, 28)), examples=4).columns, width)
    assert (found, columns[1].width) == (side, examples)


def test_a_class_of_few_images_shows_only_those() -> None:
    view = view_of(dataset(), examples=3, augmentation="flip")
    assert [len(row) for row in view.columns[1].rows] == [3, 3, 1]
    assert [column.heading for column in view.columns] == ["mean", "examples", "flip"]
    mirrored = view.columns[2].rows[2][0]
    original = view.columns[1].rows[2][0]
    assert np.array_equal(mirrored, original) or np.array_equal(mirrored, original[:, ::-1])


def test_points_lie_where_their_features_say() -> None:
    x = np.array([[0, 0], [10, 0], [0, 4], [10, 4], [5, 2]], np.float32)
    out = scatter(Points(x, np.array([0, 1, 2, 3, 0])), 21, 9)
    assert {tuple(place) for place in np.argwhere(out[..., 3])} == {(8, 0), (8, 20), (0, 0), (0, 20), (4, 10)}
    np.testing.assert_array_equal(out[8, 0], out[4, 10])
    assert (out[8, 0] != out[8, 20]).any()
    one = scatter(Points(x[:, :1], np.array([0, 1, 1, 0, 0])), 21, 2)
    assert {tuple(place) for place in np.argwhere(one[..., 3])} == {(1, 0), (1, 10), (1, 20), (0, 0), (0, 20)}
    assert "▀" in printed(view_of(load("spiral")))


def test_facts_in_words() -> None:
    facts = dict(data_view(summary(dataset(channels=3)), what="it").facts)
    x = dataset(channels=3)
    assert facts["one sample"] == "10 x 6, colour, uint8"
    assert re.fullmatch(r"red [\d.]+, green [\d.]+, blue [\d.]+", facts["mean"])
    assert facts["classes"] == "3, from 1 to 4 each to train on"
    assert facts["here"] == f"{len(x.x_train)} training and {len(x.x_test)} test images"
    assert "in all" not in facts
    assert facts["what"] == "it"
    assert dict(view_of(load("spiral")).facts)["values"].startswith("-1 to 1; seen -0.8")


# files


def in_file(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def places_of(picture: NDArray[np.uint8], page: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Where a picture stands in a page, to the pixel."""
    windows = np.lib.stride_tricks.sliding_window_view(page[..., 0], picture.shape[:2])
    corner = (windows[:, :, 0, 0] == picture[0, 0, 0]) & (windows[:, :, -1, -1] == picture[-1, -1, 0])
    return [(int(i), int(j)) for i, j in np.argwhere(corner) if (windows[i, j] == picture[..., 0]).all()]


@pytest.mark.parametrize("augmentation", ["", "flip,rotate:40"])
def test_a_picture_file_has_every_image_once_pixel_by_pixel(tmp_path: Path, augmentation: str) -> None:
    view = view_of(dataset(size=(12, 12)), examples=2, augmentation=augmentation)
    path = tmp_path / "data.png"
    write_figure(data_figure(view), path)
    page = in_file(path)
    found = [
        [places_of(scaled(picture, 84), page) for picture in row]
        for column in view.columns
        for row in column.rows
    ]
    assert all(len(places) >= 1 for row in found for places in row)
    tops = [row[0][0][0] for row in found[:3]]
    assert tops == sorted(tops)
    assert [row[0][0][0] for row in found] == tops * len(view.columns)
    first = path.read_bytes()
    write_figure(data_figure(view), path)
    assert path.read_bytes() == first


def test_bars_are_as_long_as_classes_are_large() -> None:
    figure = data_figure(view_of(dataset(), examples=0))
    widths = sorted(patch.get_width() for axes in figure.axes for patch in axes.patches)
    assert widths == [1, 1, 2, 2, 4, 4]
    texts = [text.get_text() for text in figure.texts]
    assert texts[:2] == ["<tiny>", "9 training and 5 test images, 10 x 6, grey, 3 classes"]
    assert {"class <0>", "class <1>", "class <2>"} <= set(texts)


def test_many_classes_are_cut_and_said_so(tmp_path: Path) -> None:
    view = view_of(dataset(classes=MOST_CLASSES + 3), examples=1)
    assert view.missing == 3
    texts = [text.get_text() for text in data_figure(view).texts]
    assert "and 3 more classes" in texts
    assert f"class <{MOST_CLASSES}>" not in texts
    assert "and 3 more classes" in printed(view)
    assert f"class &lt;{MOST_CLASSES + 2}&gt;" in data_html(view)


@pytest.mark.parametrize("name", ["spiral", "digits"])
def test_vector_files_are_svg_and_the_same_each_time(tmp_path: Path, name: str) -> None:
    view = view_of(load(name), examples=1)
    written = []
    for which in "ab":
        write_figure(data_figure(view), tmp_path / f"{which}.svg")
        written.append((tmp_path / f"{which}.svg").read_text(encoding="utf-8"))
    assert "<svg" in written[0]
    assert written[0] == written[1]


def test_points_of_a_figure_are_those_of_the_data() -> None:
    spiral = load("spiral")
    axes = data_figure(view_of(spiral)).axes[0]
    drawn = np.concatenate([np.asarray(one.get_offsets()) for one in axes.collections])
    np.testing.assert_allclose(drawn, spiral.x_train[np.argsort(spiral.y_train, kind="stable")])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(spiral.classes)


def test_the_resolution_is_stated(tmp_path: Path) -> None:
    write_figure(data_figure(view_of(dataset(), examples=1)), tmp_path / "data.png")
    with Image.open(tmp_path / "data.png") as image:
        assert image.info["dpi"][0] == pytest.approx(DPI, abs=0.1)


# notebook


def test_a_notebook_gets_escaped_names_and_every_picture_inline() -> None:
    view = view_of(dataset(channels=3), examples=2, augmentation="flip")
    html = data_html(view)
    assert "&lt;tiny&gt;" in html
    assert "class &lt;0&gt;" in html
    assert "<tiny>" not in html
    uris = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert len(uris) == 9
    with Image.open(BytesIO(b64decode(uris[1]))) as image:
        np.testing.assert_array_equal(np.asarray(image), mosaic([view.columns[1].rows[0]], 56, 4))
    assert "http" not in html.replace("http://www.w3.org", "")
    assert "<svg" in data_html(view_of(load("spiral")))
