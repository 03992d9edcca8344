"""Gradients kept within bounds, in place."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.tensor import Tensor


def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> Tensor:
    """Scale all gradients down together so that their Euclidean norm is at most `max_norm`.

    Returns the norm as it was (Pascanu et al. 2013).
    """
    grads = _gradients(parameters)
    total = float(np.sqrt(sum(float(np.vdot(g, g)) for g in grads)))
    scale = min(1.0, max_norm / (total + 1e-6))
    for g in grads:
        g *= scale
    return Tensor(np.asarray(total, grads[0].dtype if grads else np.float32))


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Bring every entry of every gradient into [-clip_value, clip_value]."""
    for g in _gradients(parameters):
        np.clip(g, -clip_value, clip_value, out=g)


def _gradients(parameters: Iterable[Tensor] | Tensor) -> list[Array]:
    given = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad.value for p in given if p.grad is not None]
