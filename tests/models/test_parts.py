"""Layers by name: what is frozen, which is the head, how deep each lies."""

from __future__ import annotations

import pytest
from torch import nn

from nablab.errors import UserError
from nablab.models.language import parse
from nablab.models.model import LayerRow
from nablab.models.parts import depths, freezing, head_of, of_parameter
from nablab.models.shapes import trace
from nablab.models.torch_module import describe

TEXT = "4C3-BatchNorm-ReLU-Res(4C3-BatchNorm-ReLU-4C3)-MaxPool2-8-ReLU-K"


class Nested(nn.Module):
    """A user's module whose head isn't registered last."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(16, 3)
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3))

    def forward(self, x):  # type: ignore[no-untyped-def]
        return self.head(self.features(x).flatten(1))


def rows_of(text: str = TEXT) -> tuple[LayerRow, ...]:
    return trace(parse(text), (1, 6, 6), 3)


def nested() -> tuple[LayerRow, ...]:
    return describe(Nested(), (1, 6, 6))


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        ("", []),
        ("0", ["0"]),
        ("0, 1", ["0", "1"]),
        ("3", ["3.body.0", "3.body.1", "3.body.3"]),
        ("3.body.0", ["3.body.0"]),
        ("[01]", ["0", "1"]),
        ("*", ["0", "1", "3.body.0", "3.body.1", "3.body.3", "5"]),
    ],
)
def test_layers_are_frozen_by_name(patterns: str, frozen: list[str]) -> None:
    rows = rows_of()
    freeze = freezing(patterns, rows, new_head=True, model="net")
    assert [row.path for row in rows if row.parameters and freeze(row.path)] == frozen


@pytest.mark.parametrize(
    ("patterns", "new_head", "message"),
    [
        ("9", False, "freeze '9' names no layer of net; known: 0, 1, 3.body.0"),
        ("0,feature", True, "freeze 'feature' names no layer of net"),
        ("7", True, "freeze '7' is the head of net, which is new"),
        ("*", False, "freeze '\\*' leaves nothing of net to train; leave out its head, 7"),
    ],
)
def test_what_cannot_be_frozen(patterns: str, new_head: bool, message: str) -> None:
    with pytest.raises(UserError, match=message):
        freezing(patterns, rows_of(), new_head=new_head, model="net")


def test_a_users_module_has_names_too() -> None:
    rows = nested()
    assert head_of(rows) == "head"
    freeze = freezing("features.*", rows, new_head=False, model="Nested")
    assert [row.path for row in rows if freeze(row.path)] == [f"features.{i}" for i in range(4)]
    assert not freeze("head")
    assert [row.path for row in rows if freezing("*", rows, new_head=True, model="Nested")(row.path)] == [
        f"features.{i}" for i in range(4)
    ]


def test_depth_counts_layers_with_weights_and_blocks_once() -> None:
    found = depths(rows_of())
    assert {path: found[path] for path in ("0", "1", "3.body.0", "3.body.3", "5", "7")} == {
        "0": 3,
        "1": 3,
        "3.body.0": 2,
        "3.body.3": 2,
        "5": 1,
        "7": 0,
    }
    by_module = depths(nested())
    assert [by_module[path] for path in ("features.0", "features.1", "features.3", "head")] == [2, 2, 1, 0]


@pytest.mark.parametrize(
    ("block", "around"),
    [("8C3s2-ReLU-8C3", "1.project"), ("8C3s2-ReLU-8C3|8C1s2b0-BatchNorm", "1.shortcut")],
)
def test_a_shortcut_belongs_to_its_block(block: str, around: str) -> None:
    found = depths(rows_of(f"4C3-Res({block})-GlobalAvgPool-K"))
    assert {depth for path, depth in found.items() if path.startswith("1.")} == {1}
    assert any(path.startswith(around) for path in found)
    assert (found["0"], found["3"]) == (2, 0)


def test_a_normalisation_before_a_blocks_convolution_is_in_the_block() -> None:
    found = depths(rows_of("4C3-Res(BatchNorm-ReLU-4C3)-K"))
    assert found["1.body.0"] == found["1.body.2"] == 1
    assert found["0"] == 2


def test_a_parameter_goes_with_the_layer_around_it() -> None:
    assert of_parameter("a.b.weight", {"a": 3}, 9) == 3
    assert of_parameter("weight", {"a": 3}, 9) == 9
