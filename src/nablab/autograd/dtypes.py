"""Number types by PyTorch's names, and PyTorch's rule for the type of a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nablab.autograd.errors import AutogradError

Array: TypeAlias = NDArray[Any]
DType: TypeAlias = np.dtype[Any]

float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
int8 = np.dtype(np.int8)
uint8 = np.dtype(np.uint8)
int16 = np.dtype(np.int16)
int32 = np.dtype(np.int32)
int64 = np.dtype(np.int64)
boolean = np.dtype(np.bool_)

_default: DType = float32


def get_default_dtype() -> DType:
    """The type that Python floats become: float32 unless `set_default_dtype` said otherwise."""
    return _default


def set_default_dtype(dtype: DTypeLike) -> None:
    """Make `dtype` (float32 or float64) what Python floats become.

    Raises AutogradError for any other type.
    """
    global _default
    if np.dtype(dtype) not in (float32, float64):
        raise AutogradError(f"the default dtype is float32 or float64, not {np.dtype(dtype)}")
    _default = np.dtype(dtype)


def is_floating(dtype: DType) -> bool:
    return dtype.kind == "f"


def kind(dtype: DType) -> int:
    """Bool, integer, floating: a higher kind wins over a lower one whatever the sizes."""
    return "biuf".index(dtype.kind) if dtype.kind != "u" else 1


def _number_dtype(number: object) -> DType:
    if isinstance(number, bool | np.bool_):
        return boolean
    return int64 if isinstance(number, int | np.integer) else _default


def _widest(dtypes: Sequence[DType]) -> DType:
    top = max(map(kind, dtypes))
    return np.result_type(*(dtype for dtype in dtypes if kind(dtype) == top))


def common_dtype(operands: Sequence[Any]) -> DType:
    """The type in which an elementwise operation of `operands` (arrays, Python numbers) is computed.

    Arrays with dimensions decide; 0-d arrays, and after them Python numbers, count only where theirs is
    a higher kind (bool < integer < floating). Source: PyTorch, "Tensor Attributes", type promotion.

    >>> common_dtype([np.ones(3, np.float32), np.float64(2.0), 1])
    dtype('float32')
    >>> common_dtype([np.ones(3, np.int64), 0.5])
    dtype('float32')
    """
    arrays = [a for a in operands if isinstance(a, np.ndarray)]
    groups = (
        [a.dtype for a in arrays if a.ndim],
        [a.dtype for a in arrays if not a.ndim],
        [_number_dtype(a) for a in operands if not isinstance(a, np.ndarray)],
    )
    result: DType | None = None
    for group in groups:
        if group and (result is None or kind(_widest(group)) > kind(result)):
            result = _widest(group)
    assert result is not None
    return result


def promote(operands: Sequence[Any]) -> Sequence[Any]:
    """`operands` with every array in their common dtype; Python numbers stay as they are."""
    if len(operands) == 1:
        return operands
    arrays = [a for a in operands if isinstance(a, np.ndarray)]
    dtypes = {a.dtype for a in arrays}
    if len(dtypes) == 1 and (len(arrays) == len(operands) or is_floating(arrays[0].dtype)):
        return operands
    dtype = common_dtype(operands)
    return [a.astype(dtype) if isinstance(a, np.ndarray) and a.dtype != dtype else a for a in operands]
