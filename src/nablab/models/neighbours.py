"""Memorisation: a classifier that keeps its training images and asks the nearest ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from nablab.models.neighbour_search import METRICS, Metric, make_index

Shape = tuple[int, ...]


class NearestNeighbours(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """k nearest neighbours, exact, in the way of scikit-learn's `KNeighborsClassifier` and faster.

    Of equally far images the one that was stored first is nearer; of equal votes the first class wins.

    Args:
        k: how many vote; at most as many as there are images.
        metric: `l2`, `l1` or `cosine`.
        weights: `uniform`, or `distance`: a vote counts 1/distance, and only images at distance 0 where
            there are some.
        image_shape: (C, H, W) of what is compared, where it is images; L1 is then faster.
    """

    def __init__(
        self, k: int = 5, metric: Metric = "l2", weights: str = "uniform", image_shape: Shape | None = None
    ) -> None:
        self.k = k
        self.metric = metric
        self.weights = weights
        self.image_shape = image_shape

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> NearestNeighbours:
        """Keeps the images (N, D) and their classes (N,).

        Raises:
            ValueError: a setting that is none, or more neighbours than images.
        """
        check_settings(self)
        if self.k > len(X):
            raise ValueError(f"k={self.k} neighbours of {len(X)} images; take at most {len(X)}")
        self.classes_, self.labels_ = np.unique(y, return_inverse=True)
        self.index_ = make_index(np.asarray(X), self.metric, self.image_shape)
        return self

    def kneighbors(self, X: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances (Q, k) and places among the stored images (Q, k), the nearest first."""
        return self.index_.search(np.asarray(X), self.k)

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """The share of the votes that each class has, (Q, K)."""
        distances, places = self.kneighbors(X)
        votes = np.ones_like(distances)
        if self.weights == "distance":
            same = distances == 0
            with np.errstate(divide="ignore"):
                votes = np.where(same.any(axis=1, keepdims=True), same, 1 / distances)
        shares = np.zeros((len(distances), len(self.classes_)))
        np.add.at(shares, (np.arange(len(distances))[:, None], self.labels_[places]), votes)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """The class with the largest share, (Q,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def nablab_cost(self) -> tuple[int, int, str]:
        """Parameters, MACs and how they are counted: every stored image is compared, bounds or not."""
        images, features = self.index_.rows.shape
        size = images * features
        return size, size, f"{images:,} stored images x {features:,} features"


def check_settings(estimator: NearestNeighbours) -> None:
    """Refuse settings that are none.

    Raises:
        ValueError: one of them.
    """
    k, metric, weights = estimator.k, estimator.metric, estimator.weights
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise ValueError(f"k={k!r} must be a whole number from 1")
    if metric not in METRICS:
        raise ValueError(f"metric={metric!r} must be one of {', '.join(METRICS)}")
    if weights not in ("uniform", "distance"):
        raise ValueError(f"weights={weights!r} must be uniform or distance")
