"""Making tensors, by PyTorch's names: from values, from arrays, filled, counted, drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from nablab.autograd.dtypes import Array, float64, get_default_dtype
from nablab.autograd.errors import AutogradError
from nablab.autograd.tensor import Tensor
from nablab.autograd.variable import Variable

_random = np.random.default_rng()


def tensor(data: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """A new leaf with a copy of `data`: numbers, nested lists, an array or a tensor.

    Python floats become the default dtype (float32), integers int64; an array keeps its dtype.

    Raises AutogradError where the values are no numbers, or where an integer dtype shall require gradients.

    >>> tensor([[1.0, 2.0], [3.0, 4.5]], requires_grad=True)
    tensor([[1.0000, 2.0000],
            [3.0000, 4.5000]], requires_grad=True)
    """
    plain = _plain(data)
    try:
        array = np.array(plain, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise AutogradError(f"tensor() cannot read these values: {error}") from error
    if array.dtype.kind not in "biuf":
        raise AutogradError(f"tensor() takes numbers and bools, not {array.dtype}")
    if dtype is None and array.dtype == float64 and not isinstance(plain, np.ndarray | np.generic):
        array = array.astype(get_default_dtype())
    return Tensor(array, requires_grad)


def _plain(data: Any) -> Any:
    if isinstance(data, Variable):
        return data.value
    return [_plain(part) for part in data] if isinstance(data, list | tuple) else data


def as_tensor(data: Any, dtype: DTypeLike | None = None) -> Tensor:
    """`data` as a tensor, sharing memory where it is an array or a tensor of that dtype already."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.type(dtype)
    if isinstance(data, np.ndarray) and (dtype is None or data.dtype == np.dtype(dtype)):
        return from_numpy(data)
    return tensor(data, dtype)


def from_numpy(array: Array) -> Tensor:
    """A tensor on the same memory: what changes in one changes in the other.

    >>> a = np.zeros(2)
    >>> t = from_numpy(a)
    >>> a[0] = 7
    >>> t
    tensor([7., 0.], dtype=float64)
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise AutogradError(f"from_numpy() takes an array of numbers or bools, not {type(array).__name__}")
    return Tensor(array)


def _sizes(shape: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape


def full(shape: Any, value: float, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    if dtype is None and isinstance(value, float):
        dtype = get_default_dtype()
    return Tensor(np.full(shape, value, dtype), requires_grad)


def zeros(*shape: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    return Tensor(np.zeros(_sizes(shape), dtype or get_default_dtype()), requires_grad)


def ones(*shape: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    return Tensor(np.ones(_sizes(shape), dtype or get_default_dtype()), requires_grad)


def eye(n: int, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    return Tensor(np.eye(n, dtype=dtype or get_default_dtype()), requires_grad)


def zeros_like(x: Tensor, requires_grad: bool = False) -> Tensor:
    return Tensor(np.zeros_like(x.value), requires_grad)


def ones_like(x: Tensor, requires_grad: bool = False) -> Tensor:
    return Tensor(np.ones_like(x.value), requires_grad)


def arange(*limits: float, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """As `range`; float32 where a limit is a float."""
    array = np.arange(*limits)
    if dtype is None and array.dtype.kind == "f":
        dtype = get_default_dtype()
    return Tensor(array.astype(dtype or array.dtype), requires_grad)


def linspace(
    start: float, end: float, steps: int, dtype: DTypeLike | None = None, requires_grad: bool = False
) -> Tensor:
    return Tensor(np.linspace(start, end, steps, dtype=dtype or get_default_dtype()), requires_grad)


def manual_seed(seed: int) -> None:
    """Start the generator of `randn`, `rand`, `randperm`, `dropout` and the layers' initial weights anew."""
    global _random
    _random = np.random.default_rng(seed)


def default_generator() -> np.random.Generator:
    """The generator that is drawn from where none is given."""
    return _random


def randn(
    *shape: Any,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Standard normal values."""
    values = np.asarray((generator or _random).standard_normal(_sizes(shape)))
    return Tensor(values.astype(dtype or get_default_dtype()), requires_grad)


def rand(
    *shape: Any,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Values spread evenly over [0, 1)."""
    values = np.asarray((generator or _random).random(_sizes(shape)))
    return Tensor(values.astype(dtype or get_default_dtype()), requires_grad)


def randint(low: int, high: int, shape: Any, generator: np.random.Generator | None = None) -> Tensor:
    return Tensor(np.asarray((generator or _random).integers(low, high, shape)))


def randperm(n: int, generator: np.random.Generator | None = None) -> Tensor:
    """The numbers below n in random order."""
    return Tensor((generator or _random).permutation(n))
