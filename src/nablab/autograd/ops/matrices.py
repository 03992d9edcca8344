"""Parts of matrices, their inverses, and products over dimensions that have names."""

# NumPy types arithmetic on arrays of any dtype as Any.
# mypy: disable-error-code=no-any-return

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.op import op, vjp
from nablab.autograd.ops.linear_algebra import one_dtype

Shape = tuple[int, ...]


def _check_matrix(name: str, x: Array) -> None:
    if x.ndim < 2:
        raise AutogradError(f"{name} takes a matrix, or a batch of them, not shape {x.shape}")


@op
def triu(x: Array, *, diagonal: int = 0) -> Array:
    _check_matrix("triu", x)
    return np.triu(x, diagonal)


@vjp(triu)
def _(g: Array, diagonal: int) -> Array:
    return np.triu(g, diagonal)


@op
def tril(x: Array, *, diagonal: int = 0) -> Array:
    _check_matrix("tril", x)
    return np.tril(x, diagonal)


@vjp(tril)
def _(g: Array, diagonal: int) -> Array:
    return np.tril(g, diagonal)


@op
def diag(x: Array, *, diagonal: int = 0) -> Array:
    """A vector on the diagonal of a matrix, or the diagonal of a matrix."""
    return np.diag(x, diagonal).copy()


@vjp(diag)
def _(g: Array, x_shape: Shape, diagonal: int) -> Array:
    if len(x_shape) == 1:
        return np.diag(g, diagonal)
    result, places = np.zeros(x_shape, g.dtype), np.arange(len(g))
    result[places + max(-diagonal, 0), places + max(diagonal, 0)] = g
    return result


@op
def inv(x: Array) -> Array:
    return _solved(np.linalg.inv, x)


@vjp(inv)
def _(g: Array, out: Array) -> Array:
    return -(out.mT @ g @ out.mT)


@op
def solve(a: Array, b: Array) -> Array:
    """x of a x = b, for a vector b or the columns of a matrix b."""
    one_dtype("solve", a, b)
    rows = b.shape[-1:] if b.ndim == 1 else b.shape[-2:-1]
    if a.ndim > 1 and rows != a.shape[-2:-1]:
        raise AutogradError(f"solve of shapes {a.shape} and {b.shape}: each equation needs one right side")
    return _solved(np.linalg.solve, a, b)


@vjp(solve, "a", "b")
def _(g: Array, a: Array, b: Array, out: Array) -> tuple[Array, Array]:
    slope = np.linalg.solve(a.mT, g)
    return (-slope[..., None] * out[..., None, :] if b.ndim == 1 else -slope @ out.mT), slope


def _solved(function: Callable[..., Array], *arrays: Array) -> Array:
    if arrays[0].ndim < 2 or arrays[0].shape[-1] != arrays[0].shape[-2]:
        raise AutogradError(f"a square matrix has an inverse, and this one has shape {arrays[0].shape}")
    try:
        return function(*arrays)
    except np.linalg.LinAlgError as error:
        raise AutogradError(f"no inverse: {str(error).lower()}") from error


@op
def einsum(a: Array, b: Array | None = None, *, terms: tuple[str, ...], output: str) -> Array:
    """The product of a and b, whose dimensions `terms` name, summed over the names that `output` lacks."""
    operands = [a] if b is None else [a, b]
    one_dtype("einsum", *operands)
    return np.einsum(f"{','.join(terms)}->{output}", *operands, optimize=True)


@vjp(einsum, "a")
def _(g: Array, a_shape: Shape, b: Array | None, terms: tuple[str, ...], output: str) -> Array:
    return _named_gradient(g, output, b, terms[-1], terms[0], a_shape)


@vjp(einsum, "b")
def _(g: Array, a: Array, b_shape: Shape, terms: tuple[str, ...], output: str) -> Array:
    return _named_gradient(g, output, a, terms[0], terms[1], b_shape)


def _named_gradient(
    g: Array, output: str, other: Array | None, other_term: str, term: str, shape: Shape
) -> Array:
    """A product by the same names: of g with the other one, summed over the names that `term` lacks.

    A name that neither has was summed over: its gradient is the same along it. One that stands in `term`
    twice meant a diagonal, and nothing else gets a gradient.
    """
    names = "".join(dict.fromkeys(term))
    factors = [(output, g)] if other is None else [(output, g), (other_term, other)]
    known = "".join([factor for factor, _ in factors])
    factors += [(n, np.ones(shape[term.index(n)], g.dtype)) for n in names if n not in known]
    equation = ",".join([factor for factor, _ in factors])
    result = np.einsum(f"{equation}->{names}", *[array for _, array in factors], optimize=True)
    if names == term:
        return result
    whole = np.zeros(shape, g.dtype)
    np.einsum(f"{term}->{names}", whole)[...] = result
    return whole
