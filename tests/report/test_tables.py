"""CSV, Markdown and LaTeX: read back by other programs, nothing lost, nothing misread."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from html import escape

import pytest

from nablab.analysis.results import load_results
from nablab.report.tables import markdown_table, markdown_text, to_csv, to_latex, to_markdown
from nablab.report.view import comparison_view


@pytest.fixture
def odd_view(factory, tmp_path):
    """A model whose name and detail mean something to every one of these formats."""
    odd = replace(factory.BIG, label="my_net&co,50%", detail="a|b_{c} $x$ #1 ~ ^ \\ <i> *b* `c`")
    return comparison_view(load_results(factory.write_comparison(tmp_path, [odd, factory.LINEAR])))


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_a_row_a_model_and_fraction_with_every_digit(view):
    rows = rows_of(to_csv(view))
    assert len(rows) == 6 * 2
    for row in view.rows:
        for cell in row.cells:
            (found,) = [r for r in rows if r["model"] == row.label and float(r["fraction"]) == cell.fraction]
            assert float(found["accuracy"]) == cell.accuracy
            assert tuple(map(float, found["accuracies"].split(";"))) == cell.accuracies
            assert float(found["train_seconds"]) == cell.train_seconds
            assert found["parameters"] == ("" if row.parameters is None else str(row.parameters))
            assert found["rank"] == str(cell.rank)


def test_csv_keeps_odd_names(odd_view):
    rows = rows_of(to_csv(odd_view))
    assert rows[0]["model"] == "my_net&co,50%"
    assert rows[0]["detail"] == "a|b_{c} $x$ #1 ~ ^ \\ <i> *b* `c`"


def test_markdown_table_has_equal_rows(view, odd_view):
    for one in (view, odd_view):
        lines = [line for line in to_markdown(one).splitlines() if line.startswith("|")]
        assert len(lines) == 2 + len(one.rows)
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(counts) == 1


def test_markdown_says_the_answer_and_escapes_names(odd_view):
    text = to_markdown(odd_view)
    assert "Use my\\_net&co,50%: it gets" in text
    assert "a\\|b\\_{c} \\$x\\$ \\#1 \\~ ^ \\\\ \\<i\\> \\*b\\* \\`c\\`" in text


def test_markdown_shows_every_name_as_it_is():
    from markdown_it import MarkdownIt

    for name in ("&lt;", "&#60;", "&amp;lt;", "R&D", "a & b;", "&nbsp;x;", "my_net\\&copy;"):
        assert escape(name, quote=False) in MarkdownIt().renderInline(markdown_text(name))
    assert markdown_text("R&D, a & b;") == "R&D, a & b;"


def test_markdown_table_aligns_the_first_column_to_the_left():
    assert markdown_table(("a", "b"), [("x", "1")]) == "| a | b |\n| :-- | --: |\n| x | 1 |"


def test_latex_is_balanced_and_uses_booktabs(view):
    text = to_latex(view)
    assert text.count("{") == text.count("}")
    assert re.findall(r"\\(begin|end)\{(\w+)\}", text) == [
        ("begin", "table"),
        ("begin", "tabular"),
        ("end", "tabular"),
        ("end", "table"),
    ]
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(rf"\{rule}") == 1


def test_every_latex_row_has_as_many_cells_as_there_are_columns(odd_view):
    text = to_latex(odd_view)
    (columns,) = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(body) == 1 + len(odd_view.rows)
    assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in body} == {len(columns)}


def test_latex_escapes_what_has_a_meaning(odd_view):
    body = "\n".join(line for line in to_latex(odd_view).splitlines() if not line.startswith("%"))
    assert r"my\_net\&co,50\%" in body
    assert not re.search(r"(?<!\\)[%#_]", body)
    assert body.isascii()


def test_latex_keeps_the_two_dashes_of_an_option(factory, tmp_path):
    folder = factory.write_comparison(tmp_path, [factory.BIG, factory.NEAREST, factory.LINEAR], seeds=(0,))
    text = to_latex(comparison_view(load_results(folder)))
    assert "again with -{}-seeds 3" in text
    assert " & -- & " in text


def test_latex_sets_the_first_rank_in_bold(view):
    for row in view.rows:
        label = row.label.replace("_", r"\_")
        assert (rf"\textbf{{{label}}}" in to_latex(view)) == (row.main.rank == 1)
