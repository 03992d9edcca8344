"""Shapes, parameters and MACs against PyTorch, and what a network that does not fit is told."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nablab.errors import UserError
from nablab.models import cost, torch_net
from nablab.models.catalog import CATALOG
from nablab.models.language import parse
from nablab.models.shapes import trace

#: Beside the catalog: what no network in it has.
ODD_ONES = [
    ("8C4s3p1-4C3g2-DW5s2-Flatten-K", (4, 23, 17), 3),
    ("Res(8C3s2-BatchNorm-ReLU-16C1)-Res(DW3-Res(GELU-8C1))-MaxPool3s2p1-AvgPool2s1p1-7-K", (3, 15, 12), 4),
    ("30-Res(20-Tanh-30)-Res(10-LayerNorm)-BatchNorm-GroupNorm5-K", (12,), 2),
    ("6C3-LayerNorm-PReLU-InstanceNorm-GroupNorm3-GlobalMaxPool-K", (1, 9, 9), 5),
    ("Res(8C3s5p1)-Res(MaxPool1)-GlobalAvgPool-K", (2, 11, 11), 2),
    ("Res(8C3s2b0-ReLU6|8C1s2b0-BatchNorm)-DW3b0-Res(9C1g1s2|MaxPool1s2-Widen9)-K", (2, 11, 11), 2),
    ("30-Res(20-ReLU6-40|Widen40)-Res(30|30-Res(20|20)-30)-K", (12,), 2),
]
NETWORKS = [pytest.param(e.text, (1, 28, 28), 10, id=e.name) for e in CATALOG.values()] + [
    pytest.param(text, shape, classes, id=f"odd{index}")
    for index, (text, shape, classes) in enumerate(ODD_ONES)
]


@pytest.mark.parametrize(("text", "shape", "classes"), NETWORKS)
def test_costs_are_what_pytorch_counts(text: str, shape: tuple[int, ...], classes: int) -> None:
    spec = parse(text)
    rows = trace(spec, shape, classes)
    network = torch_net.build(spec, shape, classes).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        scores = network(torch.zeros(1, *shape))
    total = cost.count(rows)
    assert scores.shape == (1, classes)
    assert total.flops == 2 * total.macs == counter.get_total_flops()
    assert total.parameters == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("text", "shape", "classes"), NETWORKS)
def test_rows_are_what_each_module_does(text: str, shape: tuple[int, ...], classes: int) -> None:
    spec = parse(text)
    network = torch_net.build(spec, shape, classes).eval()
    seen: dict[str, tuple[int, ...]] = {}
    for path, module in network.named_modules():
        if path:
            module.register_forward_hook(
                lambda _m, _i, out, path=path: seen.update({path: tuple(out.shape[1:])})
            )
    with torch.no_grad():
        network(torch.zeros(1, *shape))
    rows = trace(spec, shape, classes)
    modules = dict(network.named_modules())
    assert {row.path for row in rows} | {p for p in modules if p.endswith(("body", "shortcut"))} == set(seen)
    for row in rows:
        own = sum(p.numel() for p in modules[row.path].parameters())
        assert row.parameters == (0 if row.layer == "Res" else own)
        exchanged = isinstance(modules[row.path], torch.nn.ReLU)  # runs after the pool that follows it
        assert row.output_shape == seen[row.path] or exchanged
    for before, after in pairwise(rows):
        if "." not in before.path + after.path:
            assert before.output_shape == after.input_shape


def test_residual_rows_come_before_their_sum() -> None:
    rows = trace(parse("8C3-Res(16C3s2-ReLU)-K"), (1, 28, 28), 10)
    assert [row.path for row in rows] == ["0", "1.body.0", "1.body.1", "1.project", "1", "2"]
    assert [row.layer for row in rows] == ["8C3", "16C3s2", "ReLU", "16C1s2", "Res", "K"]
    projection = rows[3]
    assert projection.parameters == 8 * 16 + 16
    assert projection.macs == 8 * 16 * 14 * 14
    assert math.prod(rows[-1].input_shape) == 16 * 14 * 14


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        (
            "MaxPool30-K",
            (1, 28, 28),
            "layer 1 (MaxPool30): its kernel of 30x30 is larger than its input (1, 28, 28)",
        ),
        ("8C5p1-K", (1, 2, 9), "kernel of 5x5 is larger than its input (1, 2, 9) padded by 1"),
        ("8C3-8C3g3-K", (1, 28, 28), "layer 2 (8C3g3): 3 groups do not divide 8 channels into 8 filters"),
        ("8C3-9C3g2-K", (1, 28, 28), "2 groups do not divide 8 channels into 9 filters"),
        ("8C3-GroupNorm3-K", (1, 28, 28), "3 groups do not divide the 8 channels of (8, 28, 28)"),
        ("100-8C3-K", (1, 28, 28), "layer 2 (8C3): it needs an image (C, H, W), and gets 100 features"),
        ("MaxPool2-K", (784,), "layer 1 (MaxPool2): it needs an image"),
        ("GlobalAvgPool-K", (784,), "it needs an image"),
        ("InstanceNorm-K", (784,), "it needs an image"),
        ("GlobalAvgPool-GlobalAvgPool-K", (3, 8, 8), "layer 2 (GlobalAvgPool): it needs an image"),
        ("8C3-MaxPool28-InstanceNorm-K", (1, 28, 28), "layer 3 (InstanceNorm): one value a channel"),
        ("8C3-MaxPool28-GroupNorm8-K", (1, 28, 28), "layer 3 (GroupNorm8): one value a group, (8, 1, 1)"),
        ("8-GroupNorm8-K", (784,), "layer 2 (GroupNorm8): one value a group, (8,)"),
        (
            "100-ReLU-12",
            (1, 28, 28),
            '"100-ReLU-12": it ends in 12 scores, but there are 10 classes; write K',
        ),
        ("20-Dropout0.5", (1, 28, 28), "it ends in 20 scores"),
        (
            "8C3",
            (1, 28, 28),
            '"8C3": it ends in an image, (8, 28, 28), not in scores of 10 classes; end it in K, or in Glob',
        ),
        (
            "32C3-ReLU-AvgPool4-10C7p0",
            (1, 28, 28),
            "an image, (10, 1, 1), not in scores of 10 classes; end it in Flatten or GlobalAvgPool",
        ),
        ("10C3", (1, 28, 28), "an image, (10, 28, 28), not in scores of 10 classes; end it in GlobalAvgPool"),
        ("2C24p0", (1, 24, 28), "an image, (2, 1, 5), not in scores of 10 classes; end it in Flatten"),
        ("8C3-Res(ReLU-16C3s3p0)-K", (1, 28, 28), "layer 2 (Res): its input (8, 28, 28) cannot be added"),
        (
            "Res(100)-K",
            (1, 28, 28),
            "layer 1 (Res): its input (1, 28, 28) cannot be added to its output (100,)",
        ),
        ("8C3-Res(ReLU-Res(ReLU-MaxPool40))-K", (1, 28, 28), "layer 2.2.2 (MaxPool40)"),
        ("8C3-Res(ReLU|ReLU-MaxPool40)-K", (1, 28, 28), "layer 2|2 (MaxPool40)"),
        (
            "8C3-Res(16C3|Widen32)-K",
            (1, 28, 28),
            "layer 2 (Res): its body gives (16, 28, 28) and its shortcut (32, 28, 28), which cannot be added",
        ),
        ("8C3-Widen4-K", (1, 28, 28), "layer 2 (Widen4): its input (8, 28, 28) has more than 4 channels"),
        ("K", (28, 28), "its input (28, 28) is neither an image"),
    ],
)
def test_what_does_not_fit_is_told_with_layer_and_shape(
    text: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        trace(parse(text), shape, 10)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("32C3-ReLU-AvgPool4-10C7p0-Flatten", (1, 28, 28)),
        ("32C3-ReLU-AvgPool4-10C7p0-GlobalAvgPool", (1, 28, 28)),
        ("10C3-GlobalAvgPool", (1, 28, 28)),
        ("2C24p0-Flatten", (1, 24, 28)),
    ],
)
def test_the_endings_that_are_proposed_fit(text: str, shape: tuple[int, ...]) -> None:
    assert torch_net.build(parse(text), shape, 10)(torch.zeros(2, *shape)).shape == (2, 10)


def test_a_number_may_stand_for_k_where_it_fits() -> None:
    assert trace(parse("100-10"), (784,), 10)[-1].output_shape == (10,)
