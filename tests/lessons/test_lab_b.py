"""Lab b's checks tell which mistake was made, not only that there is one; what it draws is what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nablab.lessons import check
from nablab.lessons.exercises.register import exercises
from nablab.lessons.solutions import b as solutions

#: An answer, and a word that only the right diagnosis has.
DIAGNOSES = [
    ("b1", 0, "column"),
    ("b2", 0, "per pixel"),
    ("b2", 1, "other images"),
    ("b2", 2, "test images are scaled by other numbers"),
    ("b3", 0, "cancel"),
    ("b3", 1, "sum over the samples"),
    ("b3", 2, "sign"),
    ("b4", 0, "1000"),
    ("b4", 1, "summed"),
    ("b4", 2, "classes"),
    ("b4b", 0, "least unsure"),
    ("b4b", 1, "surest"),
    ("b5", 0, "odd function"),
    ("b5", 1, "more slowly"),
    ("b5b", 0, "0.5 times"),
    ("b6", 0, "weights"),
    ("b7", 0, "-1000 and 1000"),
    ("b7", 1, "second derivative"),
    ("b8", 0, "by q"),
    ("b8", 1, "cross entropy"),
    ("b9", 0, "2 times"),
    ("b10b", 0, "(6, 40)"),
    ("b10b", 1, "below zero"),
    ("b11", 0, "step 1"),
    ("b12", 0, "mean was 2 and is 1"),
    ("b12b", 1, "whole number"),
    ("b12c", 0, "too small"),
    ("b12d", 0, "180 degrees"),
    ("b12d", 1, "shape"),
]


@pytest.mark.parametrize(("name", "place", "word"), DIAGNOSES)
def test_a_usual_mistake_is_recognised(name: str, place: int, word: str) -> None:
    verdict = check(name, solutions.wrong[name][place])
    assert not verdict
    assert word in verdict.problem


@pytest.mark.parametrize("name", [one.name for one in exercises("b")])
def test_the_solution_is_right_and_the_mistakes_are_not(name: str) -> None:
    solution = getattr(solutions, name)()
    assert check(name, solution)
    for answer in solutions.wrong[name]:
        assert not check(name, answer)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 2)])
def test_the_written_out_convolution_is_pytorchs(stride: int, padding: int) -> None:
    rng = np.random.default_rng(9)
    x, w = rng.standard_normal((2, 9, 8)), rng.standard_normal((3, 2, 3, 3))
    right = torch.conv2d(torch.from_numpy(x)[None], torch.from_numpy(w), stride=stride, padding=padding)
    np.testing.assert_allclose(solutions.b12d()(x, w, stride, padding), right[0].numpy(), atol=1e-12)


def test_the_receptive_field_is_where_a_gradient_arrives() -> None:
    layers = [(3, 2), (5, 1), (2, 2)]
    image = torch.zeros(1, 1, 64, 64, requires_grad=True)
    x = image
    for kernel, stride in layers:
        x = torch.conv2d(x, torch.ones(1, 1, kernel, kernel), stride=stride)
    x[0, 0, 5, 5].backward()
    assert image.grad is not None
    assert int((image.grad[0, 0] != 0).any(dim=0).sum()) == solutions.b12c()(layers)
