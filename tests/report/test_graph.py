"""Drawings of networks: everything is on them, nothing lies outside or on top of something else."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from nablab.models.catalog import CATALOG
from nablab.models.language import parse
from nablab.models.model import GraphNode, LayerRow, ModuleGraph
from nablab.models.shapes import trace
from nablab.report import graph_layout
from nablab.report.graph import module_svg, spec_svg
from nablab.report.graph_columns import break_into_columns
from nablab.report.graph_svg import clipped, kind_of, shape_text

SVG = "{http://www.w3.org/2000/svg}"
RESIDUAL = "16C3-BatchNorm-ReLU-Res(16C3-BatchNorm)-ReLU-Res(32C3s2-ReLU-32C3)-GlobalAvgPool-K"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def frames(svg: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of every box and pill with an outline."""
    found = []
    for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect"):
        if "stroke" in rect.attrib:
            x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
            found.append((x, y, x + width, y + height))
    return found


def view_box(svg: str) -> tuple[float, float]:
    _, _, width, height = map(float, ElementTree.fromstring(svg).attrib["viewBox"].split())
    return width, height


def assert_tidy(svg: str) -> None:
    width, height = view_box(svg)
    boxes = frames(svg)
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)
    assert float(ElementTree.fromstring(svg).attrib["width"]) <= 900


@pytest.mark.parametrize("name", CATALOG)
def test_every_layer_of_the_catalog_is_on_its_drawing(name: str) -> None:
    rows = trace(CATALOG[name].spec, (1, 28, 28), 10)
    svg = spec_svg(rows, name)
    assert_tidy(svg)
    written = texts(svg)
    for row in rows:
        beside = ".project" in row.path or ".shortcut." in row.path
        assert row.layer == "Res" or any(
            text == row.layer or (beside and row.layer in re.split(" · |-", text)) for text in written
        ), row
        if row.layer[0].isdigit() and not beside:
            assert shape_text(row.output_shape) in written
            assert f"{row.parameters:,} parameters" in written
    assert ElementTree.fromstring(svg).attrib["aria-label"] == name
    assert f"{sum(row.parameters for row in rows):,} parameters" in svg


def test_a_residual_block_has_its_sum_and_its_projection() -> None:
    rows = trace(parse(RESIDUAL), (1, 28, 28), 10)
    svg = spec_svg(rows)
    assert texts(svg).count("+") == 2
    projections = [text for text in texts(svg) if "·" in text]
    assert projections == [f"32C1s2 · {16 * 32 + 32}"]


def test_a_written_shortcut_stands_beside_its_block_with_all_of_its_layers() -> None:
    rows = trace(parse("8C3-Res(16C3s2-BatchNorm-ReLU-16C3|16C1s2b0-BatchNorm)-K"), (1, 28, 28), 10)
    svg = spec_svg(rows)
    assert "16C1s2b0-BatchNorm" in texts(svg)  # for the count of its parameters there is no room
    for hint in ("1.shortcut.0: 16C1s2b0", f"{8 * 16} parameters", "1.shortcut.1: BatchNorm"):
        assert hint in svg
    short = spec_svg(trace(parse("8C3-Res(16C3s2-BatchNorm-ReLU-16C3|16C1s2b0)-K"), (1, 28, 28), 10))
    assert f"16C1s2b0 · {8 * 16}" in texts(short)


def test_what_is_repeated_is_drawn_once_and_says_how_often() -> None:
    block = "Res(16C3-BatchNorm-ReLU-16C3-BatchNorm)-ReLU"
    rows = trace(parse(f"16C3-ReLU-{block}-Res(32C3s2)-ReLU-5x(Res(32C3-Tanh-32C3)-ReLU)-K"), (1, 28, 28), 10)
    svg = spec_svg(rows)
    assert_tidy(svg)
    written = texts(svg)
    assert [text for text in written if "×" in text and " × " not in text] == ["5 ×"]
    assert written.count("Tanh") == 1
    assert written.count("+") == 3
    assert written.count("16C3") == 3


def test_what_differs_is_never_drawn_as_one() -> None:
    widths = "-".join(f"Res({n}C3-ReLU-{n}C3)" for n in (8, 8, 9, 9, 8, 8))
    assert "2 ×" not in texts(spec_svg(trace(parse(f"8C3-{widths}-K"), (1, 12, 12), 10)))
    for text in ("8C3-4x(Res(8C3-8C3)-MaxPool1)-K", "8C3-4x(Res(8C3-8C3)-MaxPool2)-K"):
        assert ("4 ×" in texts(spec_svg(trace(parse(text), (1, 32, 32), 10)))) == ("MaxPool1" in text)


@pytest.mark.parametrize(("name", "counts"), [("wrn_40_4", ["5 ×"] * 3), ("resnet18", ["2 ×"])])
def test_deep_networks_stay_low(name: str, counts: list[str]) -> None:
    svg = spec_svg(trace(CATALOG[name].spec, (1, 28, 28), 10))
    assert [text for text in texts(svg) if text.endswith("×")] == counts
    assert view_box(svg)[1] < 1000


def test_a_few_small_layers_are_drawn_out() -> None:
    assert texts(spec_svg(trace(parse("3x(100-ReLU)-K"), (100,), 10))).count("100") == 7


def test_nested_blocks_have_a_lane_each() -> None:
    flat = view_box(spec_svg(trace(parse("8C3-Res(8C3)-K"), (1, 8, 8), 10)))
    nested = view_box(spec_svg(trace(parse("8C3-Res(8C3-Res(8C3))-K"), (1, 8, 8), 10)))
    assert nested[0] > flat[0]


def test_small_layers_share_the_box_of_the_layer_before_them() -> None:
    svg = spec_svg(trace(parse("8C3-BatchNorm-ReLU-Dropout0.2-MaxPool2-K"), (1, 8, 8), 10))
    assert len(frames(svg)) == 5  # input, 8C3 with what follows it, pooling, K, scores


def test_a_deep_network_goes_on_in_the_next_columns() -> None:
    blocks = "-".join(f"Res({n}C3-BatchNorm-ReLU-{n}C3-BatchNorm)-ReLU" for n in range(16, 34))
    rows = trace(parse(f"16C3-{blocks}-GlobalAvgPool-K"), (1, 28, 28), 10)
    svg = spec_svg(rows)
    assert_tidy(svg)
    width, height = view_box(svg)
    assert width > 700
    assert height < 2000


def test_names_of_users_are_text_and_nothing_else() -> None:
    hostile = '</text><script>alert("x")</script>\x00\x1b'
    rows = [LayerRow("a.b", hostile, (1, 2, 2), (4,), 3, 4)]
    graph = ModuleGraph(
        (GraphNode("x", "input", hostile, (1, 2, 2)), GraphNode("y", "module", hostile, (4,), "a.b")),
        (("x", "y"),),
    )
    for svg in (spec_svg(rows, hostile), module_svg(graph, hostile)):
        root = ElementTree.fromstring(svg)
        assert not list(root.iter(f"{SVG}script"))
        assert "alert" in svg


def test_a_path_with_dots_is_a_residual_block_only_with_a_body() -> None:
    rows = [LayerRow(f"features.{i}", "Linear", (4,), (4,), 20, 16) for i in range(3)]
    assert "+" not in texts(spec_svg(rows))
    assert texts(spec_svg(rows)).count("Linear") == 3


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        ("64C3s2p1", "convolution"),
        ("DW3", "convolution"),
        ("Conv2d", "convolution"),
        ("K", "linear"),
        ("500", "linear"),
        ("Linear", "linear"),
        ("BatchNorm", "normalisation"),
        ("GroupNorm8", "normalisation"),
        ("MaxPool2", "pooling"),
        ("AdaptiveAvgPool2d", "pooling"),
        ("Flatten", "pooling"),
        ("relu", "activation"),
        ("LeakyReLU0.1", "activation"),
        ("log_softmax", "activation"),
        ("Dropout0.5", "dropout"),
        ("add", "other"),
        ("MultiheadAttention", "other"),
    ],
)
def test_kinds(layer: str, kind: str) -> None:
    assert kind_of(layer).name == kind


@settings(deadline=None)
@given(st.text(max_size=30), st.integers(3, 20))
def test_clipped_text_fits(text: str, length: int) -> None:
    assert cell_len(clipped(text, length)) <= length
    if cell_len(text) <= length:
        assert clipped(text, length) == text


@settings(deadline=None)
@given(st.text("abc", max_size=30), st.integers(3, 20))
def test_clipped_letters_fill_the_length(text: str, length: int) -> None:
    assert len(clipped(text, length)) == min(len(text), length)


@settings(deadline=None)
@given(st.lists(st.integers(10, 200), min_size=1, max_size=8), st.integers(1, 3))
def test_columns_hold_everything_in_order_and_are_as_low_as_can_be(heights: list[int], most: int) -> None:
    columns = break_into_columns(heights, 10, max_columns=most, comfortable=300)
    assert [i for column in columns for i in column] == list(range(len(heights)))
    assert len(columns) <= most

    def height(start: int, end: int) -> int:
        return sum(heights[start:end]) + 10 * (end - start - 1)

    highest = max(height(column.start, column.stop) for column in columns)
    if len(columns) == 1:
        assert most == 1 or highest <= 300
        return
    ways = itertools.combinations(range(1, len(heights)), len(columns) - 1)
    best = min(max(height(a, b) for a, b in itertools.pairwise((0, *cuts, len(heights)))) for cuts in ways)
    assert highest <= best + 1


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    count = draw(st.integers(1, 9))
    names = [f"n{i}" for i in range(count)]
    pairs = list(itertools.combinations(names, 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return names, edges


@settings(deadline=None)
@given(graphs())
def test_a_layout_keeps_every_edge_and_nothing_overlaps(
    graph: tuple[list[str], list[tuple[str, str]]],
) -> None:
    names, edges = graph
    layout = graph_layout.lay_out(names, edges, node_width=100, bend_width=10, gap=8)
    nodes = {item.name for row in layout.rows for item in row if not item.is_bend}
    assert nodes == set(names)
    for source, target in layout.edges:
        assert target.row == source.row + 1
    reached = set()
    following = dict[graph_layout.Item, list[graph_layout.Item]]()
    for source, target in layout.edges:
        following.setdefault(source, []).append(target)
    for start in (item for row in layout.rows for item in row if not item.is_bend):
        waiting = [start]
        for item in waiting:
            for after in following.get(item, ()):
                if after.is_bend:
                    assert after.name == start.name
                    waiting.append(after)
                else:
                    reached.add((start.name, after.name))
    assert reached == set(edges)
    for row in layout.rows:
        for a, b in itertools.pairwise(row):
            widths = sum(10 if item.is_bend else 100 for item in (a, b)) / 2
            assert layout.x[b] - layout.x[a] >= widths + 8 - 1e-6


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-100, 100), st.floats(0.05, 1)),
        min_size=1,
        max_size=12,
    )
)
def test_places_are_those_of_isotonic_regression(pairs: list[tuple[float, float]]) -> None:
    from sklearn.isotonic import isotonic_regression

    values, weights = map(list, zip(*pairs, strict=True))
    expected = isotonic_regression(np.array(values), sample_weight=np.array(weights))
    np.testing.assert_allclose(graph_layout._ascending(values, weights), expected, atol=1e-6)


def test_a_traced_module_is_drawn_with_its_branches() -> None:
    torch = pytest.importorskip("torch")
    from torch import nn

    from nablab.models.torch_module import trace_graph

    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(1, 4, 3, padding=1)
            self.norm = nn.BatchNorm2d(4)
            self.left, self.right = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1)
            self.head = nn.Linear(8, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.norm(self.stem(x)))
            return self.head(torch.cat([self.left(x), self.right(x) + x], 1).mean((2, 3)))

    graph = trace_graph(Branching(), (1, 8, 8))
    assert graph is not None
    svg = module_svg(graph, "Branching")
    assert_tidy(svg)
    written = texts(svg)
    assert written.count("Conv2d") == 3
    for word in ("input", "BatchNorm2d", "relu", "add", "cat", "mean", "Linear", "stem", "right", "scores"):
        assert word in written
    stem = [box for box in frames(svg) if box[3] - box[1] == 44 + 24 + 24]
    assert len(stem) == 1, "convolution, normalisation and activation share a box"


def test_a_long_chain_of_operations_is_wrapped() -> None:
    nodes = [GraphNode(f"n{i}", "module", "Linear", (4,), f"net.{i}") for i in range(40)]
    edges = tuple((a.name, b.name) for a, b in itertools.pairwise(nodes))
    svg = module_svg(ModuleGraph(tuple(nodes), edges))
    assert_tidy(svg)
    assert view_box(svg)[0] > 700
    assert view_box(svg)[1] < 1200


def test_the_drawing_has_no_ids_and_loads_nothing() -> None:
    svg = spec_svg(trace(parse(RESIDUAL), (1, 28, 28), 10))
    assert not re.search(r"\s(id|href|style|class)=", svg)
