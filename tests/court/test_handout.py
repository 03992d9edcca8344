"""The hand-outs' own functions: laid out and named in many ways, right and wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nablab.court.handout import check_handout
from nablab.errors import UserError


def logistic(o: Any) -> Any:
    return 1 / (1 + np.exp(-o))


def right_slope(h: Any) -> Any:
    return (1 - h**2) / 2


def hand_out_slope(h: Any) -> Any:
    return (1 - h) ** 2


def rows(slope: Callable[[Any], Any], mean: bool = True) -> tuple[Any, Any]:
    def forward(W1, b1, w2, b2, x):  # type: ignore[no-untyped-def]
        h = 2 * logistic(x @ W1 + b1) - 1
        return logistic(h @ w2 + b2), h

    def backward(y, q, h, x, w2):  # type: ignore[no-untyped-def]
        dz = (q - y) / (len(x) if mean else 1)
        do = np.outer(dz, w2) * slope(h)
        return x.T @ do, do.sum(0), h.T @ dz, dz.sum()

    return forward, backward


def columns_of_weights(slope: Callable[[Any], Any]) -> tuple[Any, Any]:
    def forward(W1, b1, w2, b2, x):  # type: ignore[no-untyped-def]
        h = 2 * logistic(x @ W1 + b1) - 1
        return h, logistic(h @ w2 + b2)

    def backward(y, q, h, x, w2):  # type: ignore[no-untyped-def]
        dz = (q - y) / len(x)
        do = dz @ w2.T * slope(h)
        dw2, db2 = h.T @ dz, dz.sum(0)
        dW1, db1 = x.T @ do, do.sum(0, keepdims=True)
        assert w2.shape[1] == 1
        return dw2, db2, dW1, db1

    return forward, backward


def samples_as_columns(slope: Callable[[Any], Any]) -> tuple[Any, Any]:
    def forward(W1, b1, w2, b2, x):  # type: ignore[no-untyped-def]
        h = 2 * logistic(W1 @ x + b1) - 1
        return logistic(w2 @ h + b2), h

    def backward(y, q, h, x, w2):  # type: ignore[no-untyped-def]
        dz = (q - y) / x.shape[1]
        do = w2.T @ dz * slope(h)
        return {"dW1": do @ x.T, "db1": do.sum(1, keepdims=True), "dW2": dz @ h.T, "db2": dz.sum()}

    return forward, backward


def one_sample(slope: Callable[[Any], Any]) -> tuple[Any, Any]:
    def forward(W1, b1, w2, b2, x):  # type: ignore[no-untyped-def]
        h = 2 * logistic(W1 @ x + b1) - 1
        return logistic(w2 @ h + b2), h

    def backward(y, q, h, x, w2):  # type: ignore[no-untyped-def]
        dz = q - y
        do = dz * w2 * slope(h)
        return dz * h, dz, np.outer(do, x), do

    return forward, backward


PAIRS = [rows, columns_of_weights, samples_as_columns, one_sample]


@pytest.mark.parametrize("make", PAIRS)
def test_a_right_pair_is_right(make: Any) -> None:
    report = check_handout(*make(right_slope))
    assert report.right, str(report)


@pytest.mark.parametrize("make", [rows, columns_of_weights, samples_as_columns])
def test_the_published_mistake_is_named(make: Any) -> None:
    report = check_handout(*make(hand_out_slope))
    assert {finding.name for finding in report.wrong} == {"W1", "b1"}
    for finding in report.wrong:
        assert "derivative of the activation after W1 is wrong" in finding.text
        assert "tanh(o/2)" in finding.text
        assert "so its derivative is (1 - h^2)/2; the gradient uses (1 - h)^2" in finding.text


@pytest.mark.parametrize("make", PAIRS)
def test_the_published_mistake_is_found_in_every_layout(make: Any) -> None:
    report = check_handout(*make(hand_out_slope))
    assert {finding.name for finding in report.wrong} == {"W1", "b1"}


def test_a_sum_is_no_mistake_unless_the_loss_is_a_mean() -> None:
    forward, backward = rows(right_slope, mean=False)
    report = check_handout(forward, backward)
    assert report.right
    assert any("sum of the cross entropy" in note for note in report.notes)
    report = check_handout(forward, backward, lambda y, q: np.mean(-y * np.log(q) - (1 - y) * np.log(1 - q)))
    assert all("summed over the 14 samples" in finding.text for finding in report.findings)


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (lambda W1, b1, w2, b2, x: x, lambda y, q, h, x, w2: x),
        (rows(right_slope)[0], lambda y, q, h, x, w2: (1, 2, 3)),
        (lambda W1, b1, w2, b2, x: undefined, lambda y, q, h, x, w2: x),  # type: ignore[name-defined]  # noqa: F821
    ],
)
def test_functions_of_another_kind_are_refused(forward: Any, backward: Any) -> None:
    with pytest.raises(UserError, match="must return q"):
        check_handout(forward, backward)
