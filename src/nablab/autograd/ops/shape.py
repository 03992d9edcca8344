"""Operations that move values and compute none: views, indexing, joining."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from nablab.autograd.dtypes import Array, common_dtype
from nablab.autograd.errors import AutogradError
from nablab.autograd.op import op, vjp

Shape = tuple[int, ...]


@op
def reshape(x: Array, *, shape: Shape) -> Array:
    return x.reshape(shape)


@op
def flatten(x: Array, *, start_dim: int = 0, end_dim: int = -1) -> Array:
    if not x.ndim:
        return x.reshape(1)
    first, last = range(x.ndim)[start_dim], range(x.ndim)[end_dim]
    return x.reshape(*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :])


@op
def squeeze(x: Array, *, dim: int | None = None) -> Array:
    return x.squeeze(dim) if dim is None or x.shape[dim] == 1 else x


@op
def unsqueeze(x: Array, *, dim: int) -> Array:
    return np.expand_dims(x, dim)


@vjp(reshape)
@vjp(flatten)
@vjp(squeeze)
@vjp(unsqueeze)
def _(g: Array, x_shape: Shape) -> Array:
    return g.reshape(x_shape)


@op
def transpose(x: Array, *, dim0: int, dim1: int) -> Array:
    return x.swapaxes(dim0, dim1)


@vjp(transpose)
def _(g: Array, dim0: int, dim1: int) -> Array:
    return g.swapaxes(dim0, dim1)


@op
def permute(x: Array, *, dims: Shape) -> Array:
    return x.transpose(dims)


@vjp(permute)
def _(g: Array, dims: Shape) -> Array:
    return g.transpose(np.argsort([d % g.ndim for d in dims]))


@op
def expand(x: Array, *, shape: Shape) -> Array:
    new = len(shape) - x.ndim
    if -1 in shape[: max(new, 0)]:
        raise AutogradError(f"expand to {shape}: -1 keeps a size, and shape {x.shape} has none to keep there")
    sizes = [x.shape[i - new] if n == -1 else n for i, n in enumerate(shape)]
    return np.broadcast_to(x, sizes)


@vjp(expand)
def _(g: Array) -> Array:
    return g  # expanding is broadcasting, which the engine undoes


@op
def flip(x: Array, *, dims: Shape) -> Array:
    return np.flip(x, dims).copy("K")  # of its own, as in PyTorch: what is written to it stays there


@vjp(flip)
def _(g: Array, dims: Shape) -> Array:
    return np.flip(g, dims)


@op
def roll(x: Array, *, shifts: int | Shape, dims: int | Shape | None = None) -> Array:
    return np.roll(x, shifts, dims)


@vjp(roll)
def _(g: Array, shifts: int | Shape, dims: int | Shape | None) -> Array:
    return np.roll(g, np.negative(shifts), dims)


@op
def repeat(x: Array, *, repeats: Shape) -> Array:
    if len(repeats) < x.ndim:
        raise AutogradError(
            f"repeat takes a number for each dimension: {len(repeats)} for shape {x.shape} are too few"
        )
    return np.tile(x, repeats)


@vjp(repeat)
def _(g: Array, x_shape: Shape, repeats: Shape) -> Array:
    """The sum over all copies"""
    sizes = (1,) * (len(repeats) - len(x_shape)) + x_shape
    copies = g.reshape([n for pair in zip(repeats, sizes, strict=True) for n in pair])
    return copies.sum(tuple(range(0, copies.ndim, 2))).reshape(x_shape)


def _is_basic(key: Any) -> bool:
    """True for an index of numbers and slices, in which no element can occur twice."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is None or part is Ellipsis or isinstance(part, int | np.integer | slice) for part in parts
    )


@op
def getitem(x: Array, *, key: Any) -> Array:
    part = x[key]
    if isinstance(part, np.ndarray):
        return part
    return x[(*key, ...) if isinstance(key, tuple) else (key, ...)]  # one element: a view, not a copy


@vjp(getitem)
def _(g: Array, x_shape: Shape, key: Any) -> Array:
    result = np.zeros(x_shape, g.dtype)
    if _is_basic(key):
        result[key] = g
    else:
        np.add.at(result, key, g)
    return result


@op
def index_put(x: Array, values: Array, *, key: Any) -> Array:
    result = x.copy()
    result[key] = values
    return result


@vjp(index_put, "x")
def _(g: Array, key: Any) -> Array:
    rest = g.copy()
    rest[key] = 0
    return rest


@vjp(index_put, "values")
def _(g: Array, key: Any) -> Array:
    return g[key]


def _places(index: Array, dim: int) -> tuple[Array, ...]:
    """The full index of `out[i][j] = x[index[i][j]][j]`, here for dim 0."""
    grid: list[Array] = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    grid[dim] = index
    return tuple(grid)


def _check_index(name: str, shape: Shape, index: Array, dim: int) -> None:
    if index.ndim != len(shape):
        raise AutogradError(
            f"{name}: an index of shape {index.shape} for shape {shape}: it must have as many dimensions; "
            "unsqueeze(1) makes a column of a vector"
        )
    n = shape[dim]
    wrong = index[(index < 0) | (index >= n)]
    if wrong.size:
        raise AutogradError(f"{name}: index {wrong[0]} along dimension {dim}, which has 0 to {n - 1}")


@op
def gather(x: Array, index: Array, *, dim: int) -> Array:
    _check_index("gather", x.shape, index, dim)
    return x[_places(index, dim)]


@vjp(gather, "x")
def _(g: Array, x_shape: Shape, index: Array, dim: int) -> Array:
    result = np.zeros(x_shape, g.dtype)
    np.add.at(result, _places(index, dim), g)
    return result


@op
def scatter(x: Array, index: Array, values: Array, *, dim: int) -> Array:
    """out[index[i][j]][j] = values[i][j] for dim 0, elsewhere x; the reverse of gather."""
    _check_index("scatter", x.shape, index, dim)
    result = x.copy()
    result[_places(index, dim)] = values
    return result


@vjp(scatter, "x")
def _(g: Array, index: Array, dim: int) -> Array:
    rest = g.copy()
    rest[_places(index, dim)] = 0
    return rest


@vjp(scatter, "values")
def _(g: Array, index: Array, dim: int) -> Array:
    return g[_places(index, dim)]


@op
def cat(*tensors: Array, dim: int = 0) -> tuple[Array, dict[str, Any]]:
    if not tensors:
        raise AutogradError("cat of no tensors: give at least one")
    return np.concatenate(tensors, dim, dtype=common_dtype(tensors)), {
        "sizes": [x.shape[dim] for x in tensors]
    }


@vjp(cat)
def _(g: Array, sizes: list[int], dim: int) -> list[Array]:
    return np.split(g, np.cumsum(sizes)[:-1], dim)


@op
def stack(*tensors: Array, dim: int = 0) -> Array:
    if not tensors:
        raise AutogradError("stack of no tensors: give at least one")
    return np.stack(tensors, dim, dtype=common_dtype(tensors))


@vjp(stack)
def _(g: Array, dim: int) -> list[Array]:
    return list(np.moveaxis(g, dim, 0))


@op
def pad(x: Array, *, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Array:
    return np.pad(x, widths, constant_values=value)


@vjp(pad)
def _(g: Array, widths: Sequence[tuple[int, int]]) -> Array:
    return g[tuple(slice(before, n - after) for n, (before, after) in zip(g.shape, widths, strict=True))]
