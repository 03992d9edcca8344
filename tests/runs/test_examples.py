import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.metrics import log_loss

from nablab.runs.examples import AT_MOST, PER_CELL, choose_examples, how_wrong


def confident(said: list[int], margin: list[float], classes: int = 3) -> np.ndarray:
    scores = np.zeros((len(said), classes), np.float32)
    scores[np.arange(len(said)), said] = margin
    return scores


def test_the_worst_mistakes_come_first_and_right_answers_not_at_all() -> None:
    y = np.array([0, 0, 0, 1, 2])
    scores = confident([0, 1, 1, 2, 2], [9, 1, 3, 2, 9])
    assert choose_examples(scores, y, "logits").tolist() == [2, 3, 1]


def test_a_cell_shows_its_worst_beyond_the_worst_of_all() -> None:
    # 40 grave mistakes in one cell, 5 mild ones in another: 25 worst of all, and 3 of the mild.
    y = np.array([0] * 40 + [1] * 5)
    scores = confident([1] * 40 + [2] * 5, [*np.linspace(8, 4, 40), 1.0, 1.4, 1.3, 1.2, 1.1])
    chosen = choose_examples(scores, y, "logits")
    assert chosen.tolist() == [*range(25), 41, 42, 43]


def test_no_mistakes_no_examples() -> None:
    assert choose_examples(confident([0, 1], [1, 1]), np.array([0, 1]), "logits").shape == (0,)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), classes=st.integers(2, 30), images=st.integers(1, 2000))
def test_bounds_hold_and_every_cell_is_shown_where_there_is_room(
    seed: int, classes: int, images: int
) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, images)
    scores = rng.normal(size=(images, classes)).astype(np.float32)
    chosen = choose_examples(scores, y, "logits")
    said = scores.argmax(axis=1)
    assert len(set(chosen.tolist())) == len(chosen) <= AT_MOST
    assert (said[chosen] != y[chosen]).all()
    loss = how_wrong(scores, y, "logits")
    assert (np.diff(loss[chosen]) <= 0).all()
    wrong = {(t, s) for t, s in zip(y, said, strict=True) if t != s}
    shown = {(t, s) for t, s in zip(y[chosen], said[chosen], strict=True)}
    if len(wrong) <= AT_MOST - 25:
        assert shown == wrong
    if len(wrong) * PER_CELL <= AT_MOST - 25:
        for cell in wrong:
            members = np.flatnonzero((y == cell[0]) & (said == cell[1]))
            worst = members[np.argsort(-loss[members], kind="stable")[:PER_CELL]]
            assert set(worst) <= set(chosen.tolist())


@pytest.mark.parametrize("kind", ["probabilities", "margins"])
def test_how_wrong_goes_by_what_scores_are(kind: str) -> None:
    y = np.array([0, 1])
    scores = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    wrong = how_wrong(scores, y, kind)
    if kind == "probabilities":
        assert wrong.mean() == pytest.approx(log_loss(y, scores))
    else:
        assert_array_equal(wrong, [0.5, 0.0])
