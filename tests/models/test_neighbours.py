"""Nearest neighbours are scikit-learn's, for every metric, ties and duplicates included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import KNeighborsClassifier

from nablab.models.neighbour_search import METRICS, make_index
from nablab.models.neighbours import NearestNeighbours

X, Y = load_digits(return_X_y=True)
X = ((X - X.mean()) / X.std()).astype(np.float32)
X += np.random.default_rng(0).normal(size=X.shape).astype(np.float32) * 0.01  # no two are equally far
TRAIN, TEST = X[:1500], X[1500:]
THEIRS = {"l1": "manhattan", "l2": "euclidean", "cosine": "cosine"}


@pytest.mark.parametrize("shape", [None, (1, 8, 8), (3, 5, 5)])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("metric", METRICS)
def test_they_are_those_of_scikit_learn(metric, weights, shape) -> None:
    ours = NearestNeighbours(7, metric, weights, shape).fit(TRAIN, Y[:1500])
    theirs = KNeighborsClassifier(7, metric=THEIRS[metric], weights=weights, algorithm="brute")
    theirs.fit(TRAIN.astype(np.float64), Y[:1500])
    distances, places = ours.kneighbors(TEST)
    their_distances, their_places = theirs.kneighbors(TEST.astype(np.float64))
    np.testing.assert_array_equal(places, their_places)
    np.testing.assert_allclose(distances, their_distances, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        ours.predict_proba(TEST), theirs.predict_proba(TEST.astype(np.float64)), rtol=1e-9
    )
    np.testing.assert_array_equal(ours.predict(TEST), theirs.predict(TEST.astype(np.float64)))


@pytest.mark.parametrize("metric", METRICS)
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([2, 3, 256]), k=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_with_ties_and_copies_the_first_stored_is_nearer(metric, seed: int, levels: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    rows, queries = (rng.integers(levels, size=(n, 18)).astype(np.float32) for n in (60, 20))
    rows[30:40] = rows[:10]
    distances, places = make_index(rows, metric).search(queries, k)
    exact = pairwise_distances(queries.astype(float), rows.astype(float), THEIRS[metric])
    if metric == "cosine":  # products that are rounded in another order are not ties any more
        np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :k], atol=1e-12)
    else:
        order = np.lexsort((np.broadcast_to(np.arange(60), exact.shape), np.round(exact, 9)), axis=1)[:, :k]
        np.testing.assert_array_equal(places, order)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("offset", [0.0, 1000.0, 1e5])
def test_far_from_the_origin_float32_does_not_choose(metric, offset: float) -> None:
    """|a|² + |b|² - 2ab loses what matters there; float64 has the last word."""
    rng = np.random.default_rng(1)
    rows = (offset + rng.normal(size=(400, 30))).astype(np.float32)
    queries = (offset + rng.normal(size=(40, 30))).astype(np.float32)
    exact = pairwise_distances(
        queries.astype(float), rows.astype(float), "cityblock" if metric == "l1" else metric
    )
    if metric == "l2":
        exact = np.sqrt(((queries[:, None].astype(float) - rows[None].astype(float)) ** 2).sum(axis=2))
    distances, _ = make_index(rows, metric).search(queries, 3)
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :3], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("k", [1, 4])
def test_where_bounds_tell_nothing_all_are_compared(k: int) -> None:
    """Groups whose sums are alike: no row is ruled out by them, and none is lost."""
    rng = np.random.default_rng(2)
    signs = np.tile([1, -1], 32)
    rows = (signs * rng.random((3000, 64))).astype(np.float32)
    rows -= np.add.reduceat(rows, np.arange(0, 64, 4), axis=1).repeat(4, axis=1) / 4
    queries = rows[:20] * np.float32(0.9)
    distances, places = make_index(rows, "l1").search(queries, k)
    exact = pairwise_distances(queries.astype(float), rows.astype(float), "cityblock")
    np.testing.assert_array_equal(places, np.argsort(exact, axis=1, kind="stable")[:, :k])
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :k], rtol=1e-9)


def test_a_stored_image_is_its_own_neighbour_and_alone_decides() -> None:
    knn = NearestNeighbours(5, "l1", "distance").fit(TRAIN, Y[:1500])
    assert knn.kneighbors(TRAIN[:50])[0][:, 0].tolist() == [0.0] * 50
    np.testing.assert_array_equal(knn.predict(TRAIN[:50]), Y[:50])
    assert (knn.predict_proba(TRAIN[:50]).max(axis=1) == 1).all()


def test_a_row_of_zeros_is_at_right_angles_to_all() -> None:
    knn = NearestNeighbours(2, "cosine").fit(np.eye(3, dtype=np.float32), np.arange(3))
    distances, places = knn.kneighbors(np.zeros((1, 3), np.float32))
    assert (distances.tolist(), places.tolist()) == ([[1.0, 1.0]], [[0, 1]])


@pytest.mark.parametrize("metric", METRICS)
def test_all_images_can_be_neighbours(metric) -> None:
    knn = NearestNeighbours(30, metric).fit(TRAIN[:30], Y[:30])
    assert sorted(knn.kneighbors(TEST[:1])[1][0]) == list(range(30))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"k": 0}, "k=0"), ({"k": 1.5}, "k=1.5"), ({"metric": "l3"}, "l2, l1, cosine"),
     ({"weights": "x"}, "uniform"), ({"k": 31}, "at most 30")],
)  # fmt: skip
def test_settings_are_checked(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NearestNeighbours(**wrong).fit(TRAIN[:30], Y[:30])  # type: ignore[arg-type]
