"""Making tensors, by PyTorch's names: from values, from arrays, filled, counted (drawn: `sampling.py`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from nablab.autograd import devices
from nablab.autograd.devices import CPU
from nablab.autograd.dtypes import Array, DType, float32, float64, get_default_dtype, int64
from nablab.autograd.errors import AutogradError
from nablab.autograd.generator import default_generator as default_generator
from nablab.autograd.tensor import Tensor
from nablab.autograd.variable import Variable

#: A shape, as `x.shape` gives it.
Size: type[tuple[int, ...]] = tuple


def tensor(
    data: Any, dtype: DTypeLike | None = None, requires_grad: bool = False, *, device: str = CPU
) -> Tensor:
    """A new leaf with a copy of `data`: numbers, nested lists, an array or a tensor.

    Python floats become the default dtype (float32), integers int64; arrays and NumPy's numbers keep theirs.

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
    if dtype is None and array.dtype == float64:
        array = array.astype(_float_dtype(plain), copy=False)
    return leaf(array, requires_grad, device)


def _float_dtype(plain: Any) -> DType:
    """What fractions become: of the dtype of the first, where it has one; Python's of the default one."""
    while isinstance(plain, list) and plain:
        plain = plain[0]
    is_known = isinstance(plain, np.ndarray | np.generic) and plain.dtype.kind == "f"
    return plain.dtype if is_known else get_default_dtype()


def leaf(array: Array, requires_grad: bool, device: str) -> Tensor:
    """A tensor of this array. Raises AutogradError where the device is not the CPU."""
    if device is not CPU:
        devices.device(device)
    return Tensor(array, requires_grad)


def _plain(data: Any) -> Any:
    if isinstance(data, Variable):
        return data.value
    return [_plain(part) for part in data] if isinstance(data, list | tuple) else data


def as_tensor(data: Any, dtype: DTypeLike | None = None, *, device: str = CPU) -> Tensor:
    """`data` as a tensor, sharing memory where it is an array or a tensor of that dtype already."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.type(dtype)
    if isinstance(data, np.ndarray) and (dtype is None or data.dtype == np.dtype(dtype)):
        return from_numpy(data)
    return tensor(data, dtype)


def FloatTensor(data: Any) -> Tensor:  # noqa: N802  (PyTorch's name)
    """A copy of `data` in float32."""
    return tensor(data, float32)


def DoubleTensor(data: Any) -> Tensor:  # noqa: N802
    """A copy of `data` in float64."""
    return tensor(data, float64)


def LongTensor(data: Any) -> Tensor:  # noqa: N802
    """A copy of `data` in int64."""
    return tensor(data, int64)


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


def sizes(shape: tuple[Any, ...], size: Any = None) -> tuple[int, ...]:
    """A shape given number by number, as one tuple or list, or by the keyword `size`."""
    given = shape if size is None else (size,)
    plain = tuple(given[0]) if len(given) == 1 and isinstance(given[0], tuple | list) else given
    if not all(isinstance(n, int | np.integer) and n >= 0 for n in plain):
        raise AutogradError(f"a shape is made of whole numbers from 0 on, not {plain}")
    return plain


def full(
    size: Any, fill_value: float, dtype: DTypeLike | None = None, requires_grad: bool = False, *,
    device: str = CPU,
) -> Tensor:  # fmt: skip
    if dtype is None and isinstance(fill_value, float):
        dtype = get_default_dtype()
    return leaf(np.full(sizes((size,)), fill_value, dtype), requires_grad, device)


def zeros(
    *shape: Any, size: Any = None, dtype: DTypeLike | None = None, requires_grad: bool = False,
    device: str = CPU,
) -> Tensor:  # fmt: skip
    return leaf(np.zeros(sizes(shape, size), dtype or get_default_dtype()), requires_grad, device)


def ones(
    *shape: Any, size: Any = None, dtype: DTypeLike | None = None, requires_grad: bool = False,
    device: str = CPU,
) -> Tensor:  # fmt: skip
    return leaf(np.ones(sizes(shape, size), dtype or get_default_dtype()), requires_grad, device)


#: Nothing is gained from memory that still holds anything: what is empty is zero.
empty = zeros


def eye(
    n: int, m: int | None = None, *, dtype: DTypeLike | None = None, requires_grad: bool = False,
    device: str = CPU,
) -> Tensor:  # fmt: skip
    """Ones on the diagonal of n rows and m (else n) columns of zeros."""
    return leaf(np.eye(n, m, dtype=dtype or get_default_dtype()), requires_grad, device)


def full_like(
    x: Tensor, fill_value: float, dtype: DTypeLike | None = None, requires_grad: bool = False, *,
    device: str = CPU,
) -> Tensor:  # fmt: skip
    return leaf(np.full_like(x.value, fill_value, dtype), requires_grad, device)


def zeros_like(
    x: Tensor, requires_grad: bool = False, *, dtype: DTypeLike | None = None, device: str = CPU
) -> Tensor:
    return leaf(np.zeros_like(x.value, dtype), requires_grad, device)


def ones_like(
    x: Tensor, requires_grad: bool = False, *, dtype: DTypeLike | None = None, device: str = CPU
) -> Tensor:
    return leaf(np.ones_like(x.value, dtype), requires_grad, device)


empty_like = zeros_like


def arange(
    *limits: float, start: float = 0, end: float | None = None, step: float = 1,
    dtype: DTypeLike | None = None, requires_grad: bool = False, device: str = CPU,
) -> Tensor:  # fmt: skip
    """As `range`; float32 where a limit is a float."""
    array = np.arange(*(limits if end is None else (start, end, step)))
    if dtype is None and array.dtype.kind == "f":
        dtype = get_default_dtype()
    return leaf(array.astype(dtype or array.dtype), requires_grad, device)


def linspace(
    start: float, end: float, steps: int, dtype: DTypeLike | None = None, requires_grad: bool = False, *,
    device: str = CPU,
) -> Tensor:  # fmt: skip
    """`steps` numbers at equal distances, the first `start` and the last `end`."""
    array = np.linspace(start, end, steps).astype(dtype or get_default_dtype())
    return leaf(array, requires_grad, device)


def logspace(
    start: float, end: float, steps: int, base: float = 10.0, dtype: DTypeLike | None = None,
    requires_grad: bool = False, *, device: str = CPU,
) -> Tensor:  # fmt: skip
    """base^start to base^end, each the same factor away from the next."""
    array = np.logspace(start, end, steps, base=base).astype(dtype or get_default_dtype())
    return leaf(array, requires_grad, device)
