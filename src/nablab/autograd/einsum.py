"""Products over dimensions that have names: reading the equation."""

from __future__ import annotations

from string import ascii_letters

from nablab.autograd import ops
from nablab.autograd.errors import AutogradError
from nablab.autograd.tensor import Tensor


def einsum(equation: str, *operands: Tensor) -> Tensor:
    """The product of all operands, summed over the names that the result lacks.

    Each letter names a dimension, `...` stands for all that have no name. Without an arrow the result has the
    letters that occur once, in alphabetical order. Several operands are multiplied from left to right.

    Raises AutogradError where names and dimensions do not agree.

    >>> from nablab import autograd
    >>> a, b = autograd.arange(6.0).reshape(2, 3), autograd.ones(3, 2)
    >>> autograd.einsum("ij,jk->ik", a, b)
    tensor([[ 3.,  3.],
            [12., 12.]])
    """
    tensors = (
        list(operands[0]) if len(operands) == 1 and isinstance(operands[0], list | tuple) else [*operands]
    )
    terms, output = _names(equation.replace(" ", ""), [x.ndim for x in tensors])
    while len(tensors) > 2:
        needed = "".join([*terms[2:], output])
        term = "".join(dict.fromkeys(name for name in terms[0] + terms[1] if name in needed))
        product = ops.einsum(tensors[0], tensors[1], terms=tuple(terms[:2]), output=term)
        tensors, terms = [product, *tensors[2:]], [term, *terms[2:]]
    return ops.einsum(*tensors, terms=tuple(terms), output=output)


def _names(equation: str, ndims: list[int]) -> tuple[list[str], str]:
    """The names of each operand's dimensions and of the result's, letters in place of `...` too."""
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise AutogradError(f"einsum {equation!r} names {len(terms)} operands, {len(ndims)} were given")
    free = "".join(letter for letter in ascii_letters if letter not in equation)
    rest = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ndims, strict=True)]
    for term, ndim, more in zip(terms, ndims, rest, strict=True):
        if more < 0 or (more and "..." not in term):
            raise AutogradError(f"einsum {equation!r}: {term!r} names an operand of {ndim} dimensions")
    widest = free[: max(rest)]
    named = [
        term.replace("...", widest[len(widest) - more :]) for term, more in zip(terms, rest, strict=True)
    ]
    if not arrow:
        letters = sorted(set(left) - set(".,"))
        right = ("..." if "..." in left else "") + "".join(x for x in letters if left.count(x) == 1)
    output = right.replace("...", widest)
    if unknown := set(output) - set("".join(named)):
        raise AutogradError(f"einsum {equation!r}: no operand has {', '.join(sorted(unknown))}")
    return named, output
