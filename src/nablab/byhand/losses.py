"""Losses of scores, with their gradients: where every back-propagation begins.

Shapes: scores `Z` (N, K), what the last linear layer gives; labels `y` (N,) of whole numbers, or one-hot
(N, K); targets of a regression (N, K). Every loss is the mean over the N samples of a sum over the K
outputs, so that its size depends neither on the number of samples nor, as a mean over outputs would, hides a
factor K from the gradient. `P` are probabilities, `Y` one-hot labels.

PyTorch's `MSELoss` and `BCEWithLogitsLoss` are means over all N K entries: K times smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nablab.byhand.activations import Array, logistic, softplus
from nablab.errors import UserError


@dataclass(frozen=True)
class Loss:
    """A loss with what turns scores into predictions."""

    name: str
    formula: str  #: of one sample
    value: Callable[[Array, Array], float]  #: of (scores, labels or targets)
    gradient: Callable[[Array, Array], Array]  #: dL/dZ, of the same
    outputs: Callable[[Array], Array]  #: what the network says: probabilities, or the scores themselves


def log_sum_exp(Z: Array) -> Array:
    """log sum_k exp(Z_nk) as (N, 1), by way of the largest score m: m + log sum_k exp(Z_nk - m).

    exp(1000) overflows; exp(1000 - 1000) does not.

    >>> log_sum_exp(np.array([[1000.0, 1000.0]])).round(3)
    array([[1000.693]])
    """
    largest = Z.max(axis=-1, keepdims=True)
    return np.asarray(largest + np.log(np.exp(Z - largest).sum(axis=-1, keepdims=True)))


def softmax(Z: Array) -> Array:
    """exp(Z_nk) / sum_j exp(Z_nj), as exp(Z - log_sum_exp(Z)).

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5], [1. , 0. ]])
    """
    return np.asarray(np.exp(Z - log_sum_exp(Z)))


def one_hot(y: Array, K: int) -> Array:
    """(N, K) of zeros with a one at each label; what already has K columns is returned as it is.

    Raises:
        UserError: labels that are not 0..K-1.
    """
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == K:
        return y
    if y.dtype.kind == "f" and not np.array_equal(y, np.round(y)):
        raise UserError(f"labels must be whole numbers from 0 to {K - 1}, or one-hot in {K} columns")
    if y.size and not (y.min() >= 0 and y.max() < K):
        raise UserError(f"labels run from {y.min()} to {y.max()}; with {K} outputs they must be 0 to {K - 1}")
    # Zeros and ones are exact in float32, and NumPy then computes in the precision of the scores.
    return np.eye(K, dtype=np.float32)[y.reshape(-1).astype(np.int64)]


def one_each(y: Array, samples: int) -> Array:
    """Labels or targets as (N,), given so or as a column (N, 1).

    A column taken as it is would be broadcast: every score held against every target.

    Raises:
        UserError: not one number for each of the N samples.
    """
    y = np.asarray(y)
    if y.shape not in ((samples,), (samples, 1)):
        raise UserError(f"{samples} samples need {samples} labels or targets; these have the shape {y.shape}")
    return y.reshape(samples)


def between_0_and_1(y: Array) -> Array:
    """Labels of yes or no, as they are.

    Raises:
        UserError: labels below 0 or above 1, such as -1 and 1, or 1 and 2.
    """
    if y.size and not (y.min() >= 0 and y.max() <= 1):
        raise UserError(f"labels of a logistic output are 0 and 1; these run from {y.min()} to {y.max()}")
    return y


def one_hot_each(y: Array, Z: Array) -> Array:
    """One-hot labels (N, K) for scores Z (N, K).

    Raises:
        UserError: labels that are not 0..K-1, or not one for each of the N samples.
    """
    Y = one_hot(y, Z.shape[1])
    if len(Y) != len(Z):
        raise UserError(f"{len(Z)} samples need {len(Z)} labels; these have the shape {np.shape(y)}")
    return Y


def cross_entropy(Z: Array, y: Array) -> float:
    """Softmax and negative log likelihood in one: 1/N sum_n (log sum_k exp Z_nk - sum_k Y_nk Z_nk)."""
    return float(np.mean(log_sum_exp(Z)[:, 0] - (one_hot_each(y, Z) * Z).sum(axis=1)))


def cross_entropy_gradient(Z: Array, y: Array) -> Array:
    """dL/dZ = (P - Y) / N, with P = softmax(Z)."""
    return np.asarray((softmax(Z) - one_hot_each(y, Z)) / len(Z))


def logistic_loss(Z: Array, y: Array) -> float:
    """K logistic outputs, each its own yes or no: 1/N sum_n sum_k (log(1 + exp Z_nk) - Y_nk Z_nk).

    With K = 1 the cross entropy of two classes, y being 0 or 1. With K > 1 it is no cross entropy of K
    classes, though it is often called so: it trains K one-versus-rest classifiers at once.
    """
    return float(np.sum(softplus(Z) - between_0_and_1(_targets(y, Z)) * Z) / len(Z))


def logistic_gradient(Z: Array, y: Array) -> Array:
    """dL/dZ = (Q - Y) / N, with Q = logistic(Z)."""
    return np.asarray((logistic(Z) - between_0_and_1(_targets(y, Z))) / len(Z))


def square(A: Array, y: Array) -> float:
    """1/N sum_n sum_k (A_nk - Y_nk)^2: of a regression, A being the scores, or of probabilities."""
    return float(np.sum((A - _targets(y, A)) ** 2) / len(A))


def square_gradient(A: Array, y: Array) -> Array:
    """dL/dA = 2 (A - Y) / N."""
    return np.asarray(2 * (A - _targets(y, A)) / len(A))


def absolute(A: Array, y: Array) -> float:
    """1/N sum_n sum_k |A_nk - Y_nk|."""
    return float(np.sum(np.abs(A - _targets(y, A))) / len(A))


def absolute_gradient(A: Array, y: Array) -> Array:
    """dL/dA = sign(A - Y) / N; 0 at the kink, where A = Y."""
    return np.asarray(np.sign(A - _targets(y, A)) / len(A))


def through_logistic(G: Array, Q: Array) -> Array:
    """From G = dL/dQ to dL/dZ for Q = logistic(Z): G Q (1 - Q), entry by entry.

    A sample that is wrong and sure of it (Q near 0 or 1) hardly learns: cross entropy has no such factor.
    """
    return np.asarray(G * Q * (1 - Q))


def through_softmax(G: Array, P: Array) -> Array:
    """From G = dL/dP to dL/dZ for P = softmax(Z): P (G - sum_j G_j P_j): dP_j/dZ_k = P_j (1[j=k] - P_k)."""
    return np.asarray(P * (G - (G * P).sum(axis=1, keepdims=True)))


def _targets(y: Array, Z: Array) -> Array:
    """Targets in the shape of the scores: a column for one output, one-hot for labels of several."""
    y = np.asarray(y)
    if y.shape == Z.shape:
        return y
    return one_each(y, len(Z)).reshape(-1, 1) if Z.shape[1] == 1 else one_hot_each(y, Z)


def _same(Z: Array) -> Array:
    return Z


#: By name; the last four train classifiers by what B8 calls the losses of a regression.
LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss("softmax", "-log p_y", cross_entropy, cross_entropy_gradient, softmax),
        Loss("logistic", "-sum_k log of q_k or 1 - q_k", logistic_loss, logistic_gradient, logistic),
        Loss("square", "sum_k (z_k - y_k)^2", square, square_gradient, _same),
        Loss("absolute", "sum_k |z_k - y_k|", absolute, absolute_gradient, _same),
        Loss(
            "square of softmax",
            "sum_k (p_k - y_k)^2",
            lambda Z, y: square(softmax(Z), y),
            lambda Z, y: through_softmax(square_gradient(softmax(Z), y), softmax(Z)),
            softmax,
        ),
        Loss(
            "absolute of softmax",
            "sum_k |p_k - y_k|",
            lambda Z, y: absolute(softmax(Z), y),
            lambda Z, y: through_softmax(absolute_gradient(softmax(Z), y), softmax(Z)),
            softmax,
        ),
        Loss(
            "square of logistic",
            "sum_k (q_k - y_k)^2",
            lambda Z, y: square(logistic(Z), y),
            lambda Z, y: through_logistic(square_gradient(logistic(Z), y), logistic(Z)),
            logistic,
        ),
        Loss(
            "absolute of logistic",
            "sum_k |q_k - y_k|",
            lambda Z, y: absolute(logistic(Z), y),
            lambda Z, y: through_logistic(absolute_gradient(logistic(Z), y), logistic(Z)),
            logistic,
        ),
    )
}
