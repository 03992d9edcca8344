"""The layer table for people: repeats once, and columns that still add up."""

from __future__ import annotations

import pytest

import nablab
from nablab.api.layer_table import layer_cells
from nablab.models.catalog import CATALOG
from nablab.models.language import parse
from nablab.models.shapes import trace


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


@pytest.mark.parametrize("name", CATALOG)
def test_columns_add_up(name: str) -> None:
    rows = trace(CATALOG[name].spec, (1, 28, 28), 10)
    cells = list(layer_cells(rows))
    assert sum(number(row[3]) for row in cells) == sum(row.parameters for row in rows)
    assert sum(number(row[4]) for row in cells) == sum(row.macs for row in rows)
    assert cells[-1][2] == "10"


def test_small_networks_are_written_out() -> None:
    for text in ("lenet", "conv_net4", "3x(100-ReLU)-K"):
        rows = trace(nablab.spec(text), (1, 28, 28), 10)
        assert [row[:2] for row in layer_cells(rows)] == [(row.path, row.layer) for row in rows]


def test_a_repeat_has_one_row_with_all_that_it_costs() -> None:
    rows = trace(parse("8C3-ReLU-4x(Res(8C3-Tanh)-ReLU)-GlobalAvgPool-K"), (1, 8, 8), 10)
    cells = list(layer_cells(rows))
    one, macs = 8 * 8 * 9 + 8, 8 * 8 * 9 * 64
    assert [row[0] for row in cells] == ["0", "1", "2.body.0", "2.body.1", "2", "3", "4 to 9", "10", "11"]
    assert cells[6] == ("4 to 9", "3 more like 2 to 3", "8 x 8 x 8", f"{3 * one:,}", f"{3 * macs:,}")


def test_what_costs_otherwise_is_no_repeat() -> None:
    block = "Res(8C3-ReLU-8C3)"
    for text in (f"4x({block})-K", f"2x({block})-MaxPool2-2x({block})-K", f"4x({block}-MaxPool2)-K"):
        cells = list(layer_cells(trace(parse(text), (8, 32, 32), 10)))
        assert ("more" in " ".join(row[1] for row in cells)) == ("MaxPool" not in text)


def test_the_title_names_the_network_and_its_engine() -> None:
    shown = nablab.inspect("numpy:wrn_40_4", latency=False)
    assert "-5xRes(BatchNorm-ReLU-256C3b0" in shown.title
    assert shown.title.endswith("on NumPy")
    assert shown.record.detail.count("256C3b0") == 11
    assert nablab.inspect("knn").title.startswith("knn: ")
