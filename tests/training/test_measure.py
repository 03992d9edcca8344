"""Losses and accuracies, held against PyTorch and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from nablab.training import measure as module
from nablab.training.feed import TrainingData
from nablab.training.measure import cross_entropies, measure, measure_scores
from nablab.training.recipe import Recipe

RNG = np.random.default_rng(0)
SCORES = RNG.normal(0, 5, (50, 4)).astype(np.float32)
Y = RNG.integers(0, 4, 50)


def test_logits_against_pytorch() -> None:
    reference = torch.nn.functional.cross_entropy(
        torch.from_numpy(SCORES).double(), torch.from_numpy(Y), reduction="none"
    )
    np.testing.assert_allclose(cross_entropies(SCORES, Y, "logits"), reference, rtol=1e-9)


def test_large_logits_stay_finite() -> None:
    assert cross_entropies(np.array([[1e4, -1e4]]), np.array([1]), "logits").tolist() == [2e4]


def test_probabilities_against_scikit_learn() -> None:
    wide = SCORES.astype(np.float64)
    p = np.exp(wide) / np.exp(wide).sum(axis=1, keepdims=True)
    p[0] = [1, 0, 0, 0]
    y = np.where(np.arange(50) == 0, 3, Y)
    measured = measure_scores(p, y, "probabilities")
    assert measured.loss == pytest.approx(log_loss(y, p), rel=1e-9)
    assert measured.accuracy == accuracy_score(y, p.argmax(axis=1))


def test_margins_have_no_loss() -> None:
    assert measure_scores(SCORES, Y, "margins").loss is None
    with pytest.raises(ValueError, match="margins"):
        cross_entropies(SCORES, Y, "margins")


def test_piece_by_piece_is_as_all_at_once(
    data_for: Callable[[Recipe], TrainingData], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_for(Recipe())

    def scorer(x: np.ndarray) -> np.ndarray:
        return x[:, 0, :4, 0]

    whole = measure_scores(scorer(data.train.all()), data.train.y)
    monkeypatch.setattr(module, "PIECE", 7)
    pieces = measure(scorer, data.train)
    assert pieces.loss == pytest.approx(whole.loss, rel=1e-12)
    assert pieces.accuracy == pytest.approx(whole.accuracy, rel=1e-12)
