"""The leader board as drawn: table, CSV, Markdown, page and pictures say what the view says."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from nablab.analysis.board import COSTS, load_board
from nablab.api.leaderboard import Leaderboard
from nablab.errors import UserError
from nablab.report.columns_board import ON_FRONT, board_columns, verdict_text
from nablab.report.html_board import render_board
from nablab.report.plots_board import board_figure, front_figure, known_costs
from nablab.report.tables_board import board_csv, board_document, board_markdown
from nablab.report.terminal_board import BoardPrint
from nablab.report.view_board import BoardView, board_view

HOSTILE = """<script>alert("x")</script>'--> {{ 7 * 7 }} & $x^2$ </style>"""


@pytest.fixture(scope="module")
def view(factory, tmp_path_factory) -> BoardView:
    folder = tmp_path_factory.mktemp("board")
    factory.write_comparison(folder / "a", fractions=(0.01, 0.1), failed={("MyNet", 2)}, jobs={"knn": 2})
    return board_view(load_board([folder]))


def by_label(view: BoardView):
    return {row.label: row for row in view.rows}


def test_the_columns_mark_fronts_and_times_taken_otherwise(view: BoardView) -> None:
    columns = {column.header: column.texts for column in board_columns(view)}
    headers = {
        "parameters": "parameters",
        "training": "train_seconds",
        "1 image": "predict_seconds_1",
        "1 of 256": "predict_seconds_256",
    }
    for header, cost in headers.items():
        marked = {row.label for row, text in zip(view.rows, columns[header], strict=True) if ON_FRONT in text}
        assert marked == set(view.fronts[cost])
        assert marked, "some method is always the cheapest"
    for row, text in zip(view.rows, columns["training"], strict=True):
        assert ("*" in text) is row.label.startswith("knn")
    assert columns["accuracy, %"][0] == "80.3 ± 3.1"
    assert columns["to the leader"][0] == "leads"


def test_verdicts_are_said_with_their_difference(view: BoardView) -> None:
    rows = by_label(view)
    assert verdict_text(rows["net_linear (10 %)"]) == "worse −42.0"
    assert verdict_text(rows["lenet_tiny (10 %)"]) == "tie −2.3"
    assert verdict_text(replace(rows["lenet_tiny (10 %)"], verdict=None)) == "? −2.3"


def test_the_headline_and_notes_say_what_to_know(view: BoardView, factory, tmp_path: Path) -> None:
    assert view.headline.startswith("lenet (10 %) leads: 80.3 ± 3.1 % of the test images right (mean of 3")
    assert "lenet_tiny (10 %)" in view.headline
    assert "better than 8 of the others" in view.headline
    notes = " ".join(view.notes)
    assert "shares of 1 % and 10 %" in notes
    assert "Those of knn (10 %) and knn (1 %) were not" in notes
    assert "2 runs failed" in notes
    assert "66 pairs (Holm)" in notes
    folder = factory.write_comparison(tmp_path, factory.MODELS[:3], seeds=(0,))
    lone = board_view(load_board([folder]))
    assert lone.headline == (
        "lenet_tiny is ahead: 80.2 % of the test images right (one run). lenet and net_linear: undecided, "
        "since one seed says nothing about chance."
    )
    assert "Times were all taken alike: 1 run at a time, 1 thread each, A processor." in lone.notes


def test_the_terminal_shows_every_method_and_keeps_to_its_width(view: BoardView) -> None:
    for width in (60, 100, 160):
        page = io.StringIO()
        Console(file=page, width=width, color_system=None).print(BoardPrint(view))
        lines = page.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        assert all(any(row.label in line for line in lines) for row in view.rows)


def test_csv_has_every_digit(view: BoardView) -> None:
    rows = list(csv.DictReader(io.StringIO(board_csv(view))))
    assert [row["label"] for row in rows] == [row.label for row in view.rows]
    for text, row in zip(rows, view.rows, strict=True):
        assert float(text["accuracy"]) == row.accuracy
        assert tuple(map(float, text["accuracies"].split(";"))) == row.accuracies
        assert text["parameters"] == ("" if row.parameters is None else str(row.parameters))
        assert set(filter(None, text["fronts"].split(";"))) == set(row.fronts)


def test_markdown_has_a_line_a_method(view: BoardView) -> None:
    lines = [line for line in board_markdown(view).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(view.rows)
    assert len({line.count("|") - line.count("\\|") for line in lines}) == 1


def test_the_document_holds_rows_and_fronts(view: BoardView) -> None:
    document = board_document(view)
    assert [row["label"] for row in document["methods"]] == [row.label for row in view.rows]
    assert document["fronts"] == {cost: list(view.fronts[cost]) for cost in COSTS}
    assert document["data"]["fingerprint"] == "f0" * 32


class Page(HTMLParser):
    """What a page links to and says, and whether every element that opens is closed in turn."""

    VOID = ("meta", "link", "br", "img", "input", "hr")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.scripts = 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href")]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)


def test_the_page_is_whole_loads_nothing_and_draws_every_front(view: BoardView) -> None:
    text = render_board(view)
    page = Page(text)
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert text.count("<figure>") == len(COSTS)
    assert "prefers-color-scheme: dark" in text
    words = " ".join(page.words)
    assert all(row.label in words and verdict_text(row) in words for row in view.rows)
    assert words.count(ON_FRONT) == 1 + sum(len(row.fronts) for row in view.rows)
    assert render_board(view) == text


def test_names_are_shown_as_text(view: BoardView) -> None:
    label = HOSTILE
    first = view.rows[0]
    points = {
        cost: tuple(replace(p, label=label) if p.label == first.label else p for p in points)
        for cost, points in view.points.items()
    }
    fronts = {
        cost: tuple(label if name == first.label else name for name in names)
        for cost, names in view.fronts.items()
    }
    rows = (replace(first, label=label, detail=HOSTILE, folders=(HOSTILE,)), *view.rows[1:])
    page = Page(
        render_board(replace(view, rows=rows, points=points, fronts=fronts, headline=HOSTILE, title=HOSTILE))
    )
    assert page.scripts == 1
    assert HOSTILE in "".join(page.words)


@pytest.mark.parametrize("cost", COSTS)
def test_a_figure_names_the_front_and_steps_along_it(view: BoardView, cost: str) -> None:
    (axes,) = front_figure(view, cost).axes
    assert {text.get_text() for text in axes.texts} == set(view.fronts[cost])
    (steps,) = [line for line in axes.get_lines() if line.get_drawstyle() == "steps-post"]
    points = {point.label: point for point in view.points[cost]}
    np.testing.assert_array_equal(steps.get_xdata()[:-1], [points[name].x for name in view.fronts[cost]])
    np.testing.assert_array_equal(
        steps.get_ydata()[:-1], [points[name].accuracy for name in view.fronts[cost]]
    )
    assert len(axes.containers) == len(points), "a point with its bar for every method, on the front or not"
    assert axes.get_xscale() == "log"


def test_costs_that_nobody_has_are_not_drawn(view: BoardView) -> None:
    assert known_costs(view) == list(COSTS)
    without = replace(
        view,
        points=dict(view.points) | {"parameters": ()},
        fronts=dict(view.fronts) | {"parameters": ()},
    )
    assert known_costs(without) == [cost for cost in COSTS if cost != "parameters"]
    assert len(board_figure(without).axes) == 3
    nothing = replace(view, points=dict.fromkeys(COSTS, ()), fronts=dict.fromkeys(COSTS, ()))
    assert board_figure(nothing).axes == []
    assert "<figure>" not in render_board(nothing)


def test_pictures_are_written_whole_in_the_format_of_their_name(factory, tmp_path: Path) -> None:
    folder = factory.write_comparison(tmp_path / "a", factory.MODELS[:2], seeds=(0,))
    board = Leaderboard(load_board([folder]))
    assert board.picture(tmp_path / "b.svg").read_text(encoding="utf-8").count("<svg") == 1
    with Image.open(board.picture(tmp_path / "b.PNG")) as picture:
        assert picture.width > 1000
        assert picture.convert("RGB").getpixel((2, 2)) == (254, 254, 253)
    with pytest.raises(UserError, match=r"\.svg or \.png"):
        board.picture(tmp_path / "b.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.PNG", "b.svg"]
