"""Linear algebra, by the names of `torch.linalg`."""

from __future__ import annotations

from nablab.autograd.ops import inv, solve
from nablab.autograd.tensor import Tensor


def norm(
    x: Tensor, ord: float | str | None = None, dim: int | tuple[int, ...] | None = None, keepdim: bool = False
) -> Tensor:
    """The Euclidean norm of all entries, or along `dim`; of vectors also the norms 1 and infinity."""
    return x.norm(2 if ord is None else ord, dim, keepdim)


__all__ = ["inv", "norm", "solve"]
