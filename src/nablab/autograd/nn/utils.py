"""Gradients kept within bounds, and parameters as one vector; by PyTorch's name of this module."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.functions import cat
from nablab.autograd.tensor import Tensor


def clip_grad_norm_(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:  # fmt: skip
    """Scale all gradients down together so that their norm, as one vector's, is at most `max_norm`.

    Returns the norm as it was (Pascanu et al. 2013). Where that is no number, all gradients become none.

    Raises AutogradError for such a norm, changing nothing, if `error_if_nonfinite`.
    """
    grads = _gradients(parameters)
    with np.errstate(over="ignore", invalid="ignore"):
        total = _norm(grads, float(norm_type))
    if error_if_nonfinite and not isfinite(total):
        raise AutogradError(f"the gradients have the norm {total}: see which loss or layer overflows")
    scale = max_norm / (total + 1e-6)
    with np.errstate(invalid="ignore"):
        for g in grads:
            g *= 1.0 if scale > 1 else scale
    return Tensor(np.asarray(total, grads[0].dtype if grads else np.float32))


def _norm(grads: list[Array], p: float) -> float:
    if p == inf:
        return float(max((np.abs(g).max(initial=0) for g in grads), default=0.0))
    if p == 2:
        return float(np.sqrt(sum(float(np.vdot(g, g)) for g in grads)))
    return float(sum(float((np.abs(g) ** p).sum()) for g in grads) ** (1 / p))


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Bring every entry of every gradient into [-clip_value, clip_value]."""
    for g in _gradients(parameters):
        np.clip(g, -clip_value, clip_value, out=g)


def _gradients(parameters: Iterable[Tensor] | Tensor) -> list[Array]:
    given = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad.value for p in given if p.grad is not None]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All entries of all parameters, one after the other."""
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """The other way: give the parameters the entries of the vector, in place.

    Raises AutogradError where it has not as many as they.
    """
    given = list(parameters)
    sizes = [p.numel() for p in given]
    if vec.shape != (sum(sizes),):
        raise AutogradError(f"the parameters have {sum(sizes)} entries, the vector has the shape {vec.shape}")
    for p, part in zip(given, np.split(vec.detach().value, np.cumsum(sizes)[:-1]), strict=True):
        p.data = Tensor(part.reshape(p.shape).astype(p.dtype))
