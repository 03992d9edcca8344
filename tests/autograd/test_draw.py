"""Drawing and explaining: the data behind them, the picture as XML, and that nothing is changed."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from nablab import autograd
from nablab.autograd import AutogradError, draw, explain
from nablab.autograd.explain import LeafStep, NodeStep


def product() -> tuple[autograd.Tensor, ...]:
    a, b = autograd.tensor(2.0, requires_grad=True), autograd.tensor(3.0)
    return a, b, a * b


def test_product_drawn() -> None:
    a, b, c = product()
    seen = draw(c).view
    assert [(box.kind, box.title, *box.lines) for box in seen.boxes] == [
        ("leaf", "leaf", "a = 2", "requires_grad = True", "grad = None"),
        ("constant", "constant", "b = 3", "requires_grad = False"),
        ("operation", "MulBackward", "c = 6", "saved b = 3"),
    ]
    assert set(seen.arrows) == {(0, 2), (1, 2)}
    assert a.grad is None
    assert b.grad is None


def test_gradients_appear_once_computed() -> None:
    a, _, c = product()
    y = c * c
    c.retain_grad()
    y.backward()
    boxes = draw(y, names={"a": a, "c": c, "y": y}).view.boxes
    lines = [line for box in boxes for line in box.lines]
    assert "grad = 36" in lines
    assert "grad = 12" in lines
    assert lines.count("saved values: freed") == 2


def four_variables() -> tuple[autograd.Tensor, list[autograd.Tensor]]:
    """4 variables, 6 operations."""
    a, b, c, d = leaves = [autograd.tensor(v, requires_grad=True) for v in (0.5, -1.0, 2.0, 3.0)]
    return ((a * b).tanh() + c / d).exp() - a, leaves


def test_four_variables_drawn_as_a_picture(tmp_path: Path) -> None:
    out, _ = four_variables()
    picture = draw(out)
    kinds = [box.kind for box in picture.view.boxes]
    assert (kinds.count("leaf"), kinds.count("operation")) == (4, 6)
    root = ElementTree.fromstring(picture.save(tmp_path / "graph.svg").read_text(encoding="utf-8"))
    space = "{http://www.w3.org/2000/svg}"
    groups = root.findall(f"{space}g")
    assert len(groups) == 10
    assert len(root.findall(f"{space}path")) == len(picture.view.arrows) == 10
    boxes = [
        [float(rect.get(k, "nan")) for k in ("x", "y", "width", "height")]
        for g in groups
        for rect in g.findall(f"{space}rect")
    ]
    width, height = float(root.get("width", "nan")), float(root.get("height", "nan"))
    for i, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
        for u, v, p, q in boxes[:i]:
            assert x + w <= u or u + p <= x or y + h <= v or v + q <= y, "boxes overlap"
    for source, target in picture.view.arrows:
        assert boxes[source][1] + boxes[source][3] < boxes[target][1], "inputs stand above results"
    assert picture._repr_svg_() == str(picture)


def test_values_that_only_the_graph_knows() -> None:
    x = autograd.tensor(2.0, requires_grad=True)
    y = (x * x).exp() * 3
    lines = [line for box in draw(y).view.boxes for line in box.lines]
    assert "exp2 = 54.5981" in lines or "exp1 = 54.5981" in lines
    assert "3" in lines


def test_large_values_and_special_characters() -> None:
    x = autograd.ones(64, 784, requires_grad=True)
    picture = draw(x.sum(), names={"x<&>": x})
    assert picture.view.boxes[0].lines[0] == "x<&> = float32 (64, 784)"
    ElementTree.fromstring(str(picture))


def test_leaf_drawn() -> None:
    x = autograd.ones(1, requires_grad=True)
    assert len(draw(x).view.boxes) == 1


def test_walk_through_explained() -> None:
    x = autograd.ones(2, 2, requires_grad=True)
    y = x + 2
    z = 3 * y * y
    out = z.mean()
    steps = explain(out).steps
    assert [step.operation for step in steps if isinstance(step, NodeStep)] == [
        "MeanBackward", "MulBackward", "MulBackward", "AddBackward"
    ]  # fmt: skip
    leaf = steps[-1]
    assert isinstance(leaf, LeafStep)
    assert leaf.leaf == "x"
    assert (leaf.gradient == 4.5).all()
    assert x.grad is None
    text = str(explain(out))
    assert "to z: g / n, to each of the n = [[0.2500, 0.2500], [0.2500, 0.2500]]" in text
    assert (
        "to y: g * a = [[2.2500, 2.2500], [2.2500, 2.2500]]; so far [[4.5000, 4.5000], [4.5000, 4.5000]]"
        in text
    )
    out.backward()
    assert "x.grad: [[4.5000, 4.5000], [4.5000, 4.5000]] + [[4.5000" in str(explain_again())


def test_each_of_two_gradients_for_one_leaf_is_shown_as_it_was_sent() -> None:
    x = autograd.tensor([1.0, 2.0, 3.0], requires_grad=True)
    step = explain(x.dot(x)).steps[0]
    assert isinstance(step, NodeStep)
    assert [one.gradient.tolist() for one in step.sent] == [[1, 2, 3], [1, 2, 3]]
    assert [one.total.tolist() for one in step.sent] == [[1, 2, 3], [2, 4, 6]]
    assert str(step).count("so far") == 1


def explain_again() -> object:
    x = autograd.ones(2, 2, requires_grad=True)
    (3 * (x + 2) ** 2).mean().backward()
    return explain((3 * (x + 2) ** 2).mean())


def test_explained_gradients_are_those_of_backward() -> None:
    out, leaves = four_variables()
    steps = [step for step in explain(out).steps if isinstance(step, LeafStep)]
    out.backward()
    computed = sorted(float(leaf.grad.item()) for leaf in leaves if leaf.grad is not None)
    np.testing.assert_allclose(sorted(float(step.gradient) for step in steps), computed, rtol=1e-6)


def test_chain_rule_explained() -> None:
    w = autograd.tensor([[1.0, 2.0], [0.0, 1.0]])
    x = autograd.tensor([1.0, -1.0], requires_grad=True)
    f = ((w @ x.square()) ** 2).sum()
    text = str(explain(f))
    assert "PowBackward" in text
    assert "x.grad: nothing + [12, -28] = [12, -28]" in text


def test_named_after_variables_or_given_names() -> None:
    weight = autograd.tensor(1.0, requires_grad=True)
    result = weight * 2
    assert "to weight: g * b = 2" in str(explain(result))
    assert "to w: g * b = 2" in str(explain(result, names={"w": weight}))


def test_nothing_to_explain() -> None:
    with pytest.raises(AutogradError, match="does not require a gradient"):
        explain(autograd.ones(1).sum())
    with pytest.raises(AutogradError, match="scalar"):
        explain(autograd.ones(2, requires_grad=True) * 2)
    assert len(explain(autograd.ones(2, requires_grad=True) * 2, autograd.ones(2)).steps) == 2
