"""The HTML report: one sound file that loads nothing, and shows whatever names it is given as text."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from nablab.analysis.results import load_results
from nablab.errors import NablabError
from nablab.report.html import render_html, write_html
from nablab.report.html_matrix import CELL_DARK, CELL_LIGHT, MAX_CLASSES, MatrixCell, make_matrix
from nablab.report.html_page import Page as DrawnPage
from nablab.report.html_page import make_page
from nablab.report.html_pictures import MAX_SIDE, embed
from nablab.report.plots_theme import DARK, LIGHT
from nablab.report.view import comparison_view
from nablab.report.view_types import ComparisonView, ConfusionView

VOID = {"meta", "link", "br", "img", "input", "hr", "wbr", "col"}
HOSTILE = """<script>alert("x")</script>'--> {{ 7 * 7 }} & $x^2$ </style>"""


class Page(HTMLParser):
    """What is in a page, and whether every element that opens is closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[tuple[str, str, str]] = []  # tag, attribute, value
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.text: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href", "data", "action", "srcset", "poster"):
                self.links.append((tag, name, value))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)
        if not {"script", "style"} & set(self.open):
            self.words.append(data)


@pytest.fixture(scope="module")
def text(view: ComparisonView) -> str:
    return render_html(view)


@pytest.fixture(scope="module")
def made(view: ComparisonView) -> DrawnPage:
    return make_page(view)


@pytest.fixture(scope="module")
def little(factory, tmp_path_factory) -> ComparisonView:
    """Two models, one of them failed once: quickly rendered."""
    folder = tmp_path_factory.mktemp("little")
    return small_view(factory, folder, models=factory.MODELS[:2], seeds=(0, 1), failed={("lenet_tiny", 1)})


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def changed(value, change):
    """A view with every string in it changed."""
    if isinstance(value, str):
        return change(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: changed(getattr(value, f.name), change) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    if isinstance(value, tuple):
        return tuple(changed(one, change) for one in value)
    if isinstance(value, Mapping):
        return {key: changed(one, change) for key, one in value.items()}
    return value


def test_every_element_is_closed_and_every_id_is_there_once(page: Page) -> None:
    assert page.tags["section"] > 6
    assert [name for name, count in Counter(page.ids).items() if count > 1] == []


def test_every_link_leads_somewhere_in_the_page(page: Page) -> None:
    targets = {value[1:] for _, _, value in page.links if value.startswith("#")}
    assert len(targets) > 20
    assert targets <= set(page.ids)


def test_nothing_is_loaded(page: Page, text: str) -> None:
    for tag, name, value in page.links:
        assert value.startswith(("#", "data:")), (tag, name, value)
    assert not page.tags.keys() & {"iframe", "object", "embed", "img", "form", "base"}
    style = "".join(page.text["style"])
    assert "@import" not in style
    assert "url(" not in style
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
    }  # fmt: skip


def test_the_policy_allows_this_script_and_nothing_else(page: Page) -> None:
    (policy,) = [value for tag, _, value in page.attributes if tag == "meta" and "default-src" in value]
    (script,) = page.text["script"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert page.tags["script"] == 1
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_the_answer_and_every_fact_are_in_it(view: ComparisonView, page: Page) -> None:
    said = " ".join("".join(page.words).split())
    answer = " ".join(view.headline.split())
    assert answer in said
    for note in view.notes:
        assert " ".join(note.split()) in said
    for row in view.rows:
        assert row.label in said
        assert row.parameters is None or f"{row.parameters:,}" in said
        for cell in row.cells:
            assert cell is None or cell.accuracy is None or f"{100 * cell.accuracy:.1f}" in said
    for failure in view.failures:
        assert failure.message in said
        assert failure.run in said
    for command in view.repeat.commands:
        assert command in said
    for name, value in view.environments[0].values:
        assert name in said
        assert value in said


def test_a_matrix_has_its_counts_and_its_cells_lead_to_pictures(view: ComparisonView, text: str) -> None:
    position = [row.label for row in view.rows].index("lenet") + 1
    confusion = view.sections[position - 1].confusion
    start = text.index("<table", text.index(f'id="model-{position}"'))
    table = text[start : text.index("</table>", start)]
    cells = re.findall(r"<td(?: class=\"(?:right|wrong)[^>]*)?>(.*?)</td>", table)[1:]  # after the corner
    counts = [int(re.sub(r"<[^>]*>|,", "", cell) or 0) for cell in cells]
    assert counts == confusion.counts.ravel().tolist()
    linked = re.findall(r'href="#model-\d+-(\d+)-(\d+)"', table)
    assert {(int(a), int(b)) for a, b in linked} == {
        key for key, examples in confusion.cells.items() if examples
    }
    for truth, prediction in confusion.cells:
        pictures = text[text.index(f'id="model-{position}-{truth}-{prediction}"') :]
        first = confusion.cells[truth, prediction][0]
        assert pictures.index(f'href="#i{first.index}"') < pictures.index("</ul>")


def test_each_picture_is_in_the_page_once(view: ComparisonView, text: str) -> None:
    assert text.count("data:image/png") == len(view.images)
    index, picture = next(iter(view.images.items()))
    uri = re.search(rf'<image id="i{index}"[^>]*href="data:image/png;base64,([^"]+)"', text)
    assert uri is not None
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(base64.b64decode(uri[1])))), picture)


def test_every_string_of_a_view_is_text_whatever_is_in_it(little: ComparisonView) -> None:
    kept = {"better", "worse", "tie", "undecided", "network", "module", "estimator"}
    page = Page(render_html(changed(little, lambda word: word if word in kept else f"{word}{HOSTILE}")))
    assert page.tags["script"] == 1
    assert page.tags["style"] == 1
    assert [name for _, name, _ in page.attributes if name.startswith("on")] == []
    said = "".join(page.words)
    for word in ("lenet", little.data.classes[0], little.notes[0], little.failures[0].message, "8C5p0"):
        assert f"{word}{HOSTILE}" in said


def test_the_same_view_gives_the_same_file_and_nothing_beside_it(little: ComparisonView, tmp_path) -> None:
    write_html(little, tmp_path / "sub" / "report.html")
    assert (tmp_path / "sub" / "report.html").read_text(encoding="utf-8") == render_html(little)
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["report.html"]


def test_a_folder_that_is_a_file_is_a_clear_error(little: ComparisonView, tmp_path) -> None:
    (tmp_path / "here").write_text("a file")
    with pytest.raises(NablabError, match="cannot write"):
        write_html(little, tmp_path / "here" / "report.html")


def small_view(factory, folder, **options) -> ComparisonView:
    from nablab.analysis.results import load_results
    from nablab.report.view import comparison_view

    return comparison_view(load_results(factory.write_comparison(folder, **options)))


def test_one_model_with_one_seed(factory, tmp_path) -> None:
    view = small_view(factory, tmp_path, models=factory.MODELS[:1], seeds=(0,))
    page = Page(render_html(view))
    assert "There are no two models with a result at the same fraction." in "".join(page.words)


def test_runs_that_all_failed(factory, tmp_path) -> None:
    models = factory.MODELS[:2]
    view = small_view(factory, tmp_path, models=models, seeds=(0,), failed={(m.label, 0) for m in models})
    said = "".join(Page(render_html(view)).words)
    assert "No run finished." in said
    assert view.failures[0].message in said


def test_features_have_no_pictures(factory, tmp_path) -> None:
    view = small_view(factory, tmp_path, models=factory.MODELS[3:5], shape=(7,))
    assert view.images == {}
    text = render_html(view)
    assert "data:image/png" not in text
    page = Page(text)
    assert {value[1:] for _, _, value in page.links if value.startswith("#")} <= set(page.ids)


def test_ranks_say_when_they_are_shared(made: DrawnPage) -> None:
    ranks = [(row.view.cells[-1].rank, row.ranks[-1]) for row in made.table if row.view.cells[-1]]
    shared = Counter(rank for rank, _ in ranks)
    for rank, word in ranks:
        assert word == ("" if rank is None else f"{rank}=" if shared[rank] > 1 else f"{rank}")
    assert any(word.endswith("=") for _, word in ranks)


def test_verdicts_are_those_of_the_view_and_mirror_each_other(view: ComparisonView, made: DrawnPage) -> None:
    mirrored = {"better": "worse", "worse": "better"}
    for table in made.verdicts:
        for i, a in enumerate(table.labels):
            for j, b in enumerate(table.labels):
                cell, other = table.rows[i][j], table.rows[j][i]
                if i == j:
                    assert cell.text == ""
                    continue
                pair = view.pair(table.fraction, a, b)
                assert pair is not None
                assert cell.verdict == pair.verdict
                assert f"{100 * pair.difference:+.1f}".replace("-", "−") in cell.text
                assert other.verdict == mirrored.get(cell.verdict, cell.verdict)


def test_dots_lie_on_the_scale(made: DrawnPage) -> None:
    places = [dot.place for row in made.table for dot in row.dots]
    assert min(places) == 0
    assert max(places) == pytest.approx(100)


def luminance(color: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("strength", np.linspace(0, 1, 21).round(2))
def test_the_number_in_a_cell_can_be_read(right: bool, strength: float) -> None:
    cell = MatrixCell(0, 0 if right else 1, 5, 0.5, float(strength), ())
    for palette, empty, white in (
        (LIGHT, CELL_LIGHT, cell.turns_light),
        (DARK, CELL_DARK, not cell.turns_dark),
    ):
        full, none = (
            np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
            for color in (palette[not right], empty)
        )
        behind = luminance(list(strength * full + (1 - strength) * none)) + 0.05
        assert (1.05 / behind if white else behind / 0.05) >= 4.5


def test_of_many_classes_those_with_most_mistakes_are_shown(view: ComparisonView) -> None:
    classes = MAX_CLASSES + 10
    counts = np.diag(np.full(classes, 50))
    counts[3, 7], counts[classes - 1, 0] = 9, 8
    one = view.sections[0].confusion.classes[0]
    named = tuple(dataclasses.replace(one, name=f"class {k}") for k in range(classes))
    confusion = ConfusionView(counts, 1, named, (), {}, ())
    matrix = make_matrix(confusion)
    assert len(matrix.shown) == MAX_CLASSES
    assert {3, 7, classes - 1, 0} <= set(matrix.shown)
    assert list(matrix.shown) == sorted(matrix.shown)
    cell = matrix.rows[matrix.shown.index(3)][matrix.shown.index(7)]
    assert (cell.count, cell.share, cell.right) == (9, 9 / 59, False)


@pytest.mark.parametrize("shape", [(300, 200, 3), (20, 400), (28, 28)])
def test_pictures_are_made_small(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    embedded = embed(5, picture)
    assert max(embedded.width, embedded.height) <= max(MAX_SIDE, 28)
    assert embedded.width / embedded.height == pytest.approx(shape[1] / shape[0], rel=0.05)


def test_curves_and_graphs_are_small(made: DrawnPage) -> None:
    """They are most of a large report: with these, seven models at three fractions stay below 3 MB."""
    curves = [plot for section in made.sections for plot in section.curves]
    assert max(len(plot.loss) + len(plot.accuracy) for plot in curves) < 45_000
    assert max(len(section.graph) for section in made.sections) < 20_000


def test_no_scale_goes_beyond_all(factory, tmp_path):
    perfect = [dataclasses.replace(factory.BIG, label=label, skill=99.0) for label in ("a", "b")]
    view = comparison_view(load_results(factory.write_comparison(tmp_path, perfect)))
    page = make_page(view)
    assert page.scale == ("99.0 %", "100.0 %")
    assert all(dot.place == pytest.approx(100) for row in page.table for dot in row.dots)
    ticks = re.findall(r">([\d.]+) %<", "".join(svg for _, svg in page.trade_offs))
    assert ticks
    assert max(map(float, ticks)) <= 100
