"""Losses as functions, with PyTorch's signatures; found in `functional`."""

from __future__ import annotations

import warnings

import numpy as np

from nablab.autograd import ops
from nablab.autograd.errors import AutogradError
from nablab.autograd.functions import where
from nablab.autograd.tensor import Tensor


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise AutogradError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    return losses.mean() if reduction == "mean" else losses.sum()


def _check_shapes(name: str, input: Tensor, target: Tensor) -> None:
    """Raise where (N, 1) would meet (N,): every entry would be held against all targets."""
    if input.shape != target.shape:
        raise AutogradError(
            f"{name}: the input has the shape {input.shape}, the target {target.shape}; reshape one of them"
        )


def _warn_of_shapes(name: str, input: Tensor, target: Tensor) -> None:
    """The same where PyTorch only warns."""
    if np.ndim(target) and np.shape(target) != input.shape:
        warnings.warn(
            f"{name}: the input has the shape {input.shape}, the target {np.shape(target)}: they are "
            "broadcast against each other, which is hardly meant; reshape one of them",
            stacklevel=3,
        )


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100,
    reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """-log softmax(input)[target], of scores (N, K) or (N, K, d1, ...).

    The target holds classes (integers), or probabilities in the shape of the scores.
    """
    return ops.cross_entropy(
        input, target, weight,
        ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing,
    )  # fmt: skip


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-input[target], of log probabilities (N, K) or (N, K, d1, ...)."""
    return ops.nll_loss(input, target, weight, ignore_index=ignore_index, reduction=reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """-(t log p + (1 - t) log(1 - p)) of probabilities p.

    Raises AutogradError for a target of another shape.
    """
    _check_shapes("binary_cross_entropy", input, target)
    losses = ops.binary_cross_entropy(input, target)
    return _reduced(losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Binary cross entropy of p = sigmoid(input), safe for scores of any size."""
    _check_shapes("binary_cross_entropy_with_logits", input, target)
    losses = ops.binary_cross_entropy_with_logits(input, target, 1.0 if pos_weight is None else pos_weight)
    return _reduced(losses if weight is None else losses * weight, reduction)


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """(input - target)^2."""
    _warn_of_shapes("mse_loss", input, target)
    return _reduced(ops.mse_loss(input, target), reduction)


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """|input - target|."""
    _warn_of_shapes("l1_loss", input, target)
    return _reduced(ops.l1_loss(input, target), reduction)


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Half the square up to delta, from there a straight line of slope delta.

    Raises AutogradError unless delta is positive.
    """
    if not delta > 0:
        raise AutogradError(f"huber_loss: delta must be positive, it is {delta}")
    _warn_of_shapes("huber_loss", input, target)
    return _reduced(ops.huber_loss(input, target, delta=delta), reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """The Huber loss divided by its delta, here called beta; with 0 the absolute difference."""
    if not beta >= 0:
        raise AutogradError(f"smooth_l1_loss: beta must not be negative, it is {beta}")
    return huber_loss(input, target, reduction, beta) / beta if beta else l1_loss(input, target, reduction)


def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """target (log target - input): the input holds logarithms, the target does if `log_target`.

    Kullback and Leibler's divergence is its sum, and "batchmean" the mean of that over the batch.
    """
    if reduction == "mean":
        warnings.warn(
            "kl_div: 'mean' divides by the number of all entries; the divergence is 'batchmean'", stacklevel=2
        )
    if log_target:
        losses = target.exp() * (target - input)
    else:  # 0 log 0 is 0
        losses = target * (where(target > 0, target, 1.0).log() - input)
    return losses.sum() / len(input) if reduction == "batchmean" else _reduced(losses, reduction)


def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Hinge loss of scores s (N, K): max(0, margin - s[class] + s[k])^p, summed over the other k, over K."""
    own = input.gather(1, target.unsqueeze(1))
    beyond = ops.relu(margin - own + input) * Tensor(np.arange(input.shape[1]) != target.value[:, None])
    losses = (beyond**p).sum(1) / input.shape[1]
    return _reduced(losses if weight is None else losses * weight[target], reduction)
