"""The table in a terminal: at every width, with colour and without."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from nablab.analysis.results import load_results
from nablab.report.columns import columns
from nablab.report.terminal import fitting, render
from nablab.report.view import comparison_view


def printed(view, width, **console):
    page = io.StringIO()
    Console(file=page, width=width, **console).print(render(view))
    return page.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(view, width):
    lines = printed(view, width).splitlines()
    assert max(cell_len(line) for line in lines) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_models_ranks_and_whole_accuracies_are_always_there(view, width):
    text = printed(view, width)
    for row in view.rows:
        line = next(line for line in text.splitlines() if f" {row.label} " in line)
        for cell in row.cells:
            assert f"{100 * cell.accuracy:.1f}" in line
        assert line.split()[0] == str(row.main.rank)


def test_80_columns_show_the_cost_and_120_show_more(view):
    narrow, wide = printed(view, 80), printed(view, 120)
    for header in ("rank", "model", "parameters", "training", "1 % data", "10 % data"):
        assert header in narrow
    for header in ("MACs", "FLOPs", "wall", "1 image", "1 of 256"):
        assert header in wide


def test_room_is_taken_from_what_matters_least(view):
    wanted = columns(view)
    for width in range(20, 200, 7):
        kept = fitting(wanted, width)
        dropped = [column for column in wanted if column not in kept]
        assert all(one.keep <= other.keep for one in dropped for other in kept)


def test_a_long_name_is_cut_before_the_accuracies_go(factory, tmp_path):
    long = replace(factory.BIG, label="64c3-batchnorm-relu-maxpool2-128c3-batchnorm-relu-globalavgpool-k")
    view = comparison_view(load_results(factory.write_comparison(tmp_path, [long], fractions=(0.01, 0.1, 1))))
    line = next(line for line in printed(view, 80).splitlines() if "64c3" in line)
    assert "…" in line
    for cell in view.rows[0].cells:
        assert f"{100 * cell.accuracy:.1f} ± {100 * cell.accuracy_sd:.1f}" in line
    assert long.label in printed(view, 200)


def test_the_answer_the_failures_and_the_notes_are_printed(view):
    text = " ".join(printed(view, 120).split())
    assert view.headline in text
    assert "MyNet at 10 %, seed 2: diverged in epoch 3, step 58: the loss is not finite" in text
    for note in view.notes:
        assert note in text


def test_plain_when_it_is_not_a_terminal(view):
    assert "\x1b" not in printed(view, 80, force_terminal=False)
    assert "\x1b[" in printed(view, 80, force_terminal=True, color_system="standard")


def test_times_taken_otherwise_carry_a_mark_that_is_explained(view):
    text = printed(view, 200)
    knn = next(line for line in text.splitlines() if " knn " in line)
    assert "100 ms*" in knn or "10.0 ms*" in knn
    assert "* timed under other conditions" in " ".join(text.split())
    assert "† some of its seeds failed" in text


def test_a_model_without_a_result_says_failed(factory, tmp_path):
    factory.write_comparison(
        tmp_path, [factory.BIG, factory.LINEAR], failed={("lenet", seed) for seed in range(3)}
    )
    text = printed(comparison_view(load_results(tmp_path)), 80)
    assert "failed" in next(line for line in text.splitlines() if " lenet " in line)


def test_labels_are_not_read_as_markup(factory, tmp_path):
    factory.write_comparison(tmp_path, [replace(factory.BIG, label="[red]x[/red]")], seeds=(0,))
    assert "[red]x[/red]" in printed(comparison_view(load_results(tmp_path)), 80)
