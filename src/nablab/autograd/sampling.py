"""Tensors drawn at random, by PyTorch's names. A seed gives the same numbers each time, not PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from nablab.autograd.create import leaf, sizes
from nablab.autograd.devices import CPU
from nablab.autograd.dtypes import Array, get_default_dtype, int64
from nablab.autograd.errors import AutogradError
from nablab.autograd.generator import default_generator
from nablab.autograd.tensor import Tensor

Generator = np.random.Generator


def randn(
    *shape: Any, size: Any = None, generator: Generator | None = None, dtype: DTypeLike | None = None,
    requires_grad: bool = False, device: str = CPU,
) -> Tensor:  # fmt: skip
    """Standard normal values."""
    values = np.asarray((generator or default_generator()).standard_normal(sizes(shape, size)))
    return leaf(values.astype(dtype or get_default_dtype()), requires_grad, device)


def rand(
    *shape: Any, size: Any = None, generator: Generator | None = None, dtype: DTypeLike | None = None,
    requires_grad: bool = False, device: str = CPU,
) -> Tensor:  # fmt: skip
    """Values spread evenly over [0, 1)."""
    values = np.asarray((generator or default_generator()).random(sizes(shape, size)))
    return leaf(values.astype(dtype or get_default_dtype()), requires_grad, device)


def randn_like(x: Tensor, **options: Any) -> Tensor:
    return randn(x.shape, **{"dtype": x.dtype, **options})


def rand_like(x: Tensor, **options: Any) -> Tensor:
    return rand(x.shape, **{"dtype": x.dtype, **options})


def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None,
    dtype: DTypeLike | None = None, requires_grad: bool = False, device: str = CPU,
) -> Tensor:  # fmt: skip
    """Normal values: of one mean and deviation in the shape `size`, or of tensors of means and deviations."""
    means, deviations = (getattr(x, "value", x) for x in (mean, std))
    if np.any(np.asarray(deviations) < 0):
        raise AutogradError(f"normal() takes deviations from 0 on, not {np.min(deviations)}")
    shape = None if size is None else sizes((size,))
    values = np.asarray((generator or default_generator()).normal(means, deviations, shape))
    return leaf(values.astype(dtype or get_default_dtype()), requires_grad, device)


def randint(
    *limits: Any, low: int = 0, high: int | None = None, size: Any = None,
    generator: Generator | None = None, dtype: DTypeLike = int64, device: str = CPU,
) -> Tensor:  # fmt: skip
    """Integers from `low`, else 0, up to `high` - 1: `randint(10, (3,))`, `randint(0, 10, (3,))`."""
    numbers = [x for x in limits if not isinstance(x, tuple | list)]
    shapes = [x for x in (*limits, size) if isinstance(x, tuple | list)]
    if high is None and numbers:
        high = numbers.pop()
    if high is None or len(shapes) != 1 or len(numbers) > 1:
        raise AutogradError("randint takes a limit or two and a shape: randint(0, 10, (3,))")
    low = numbers[0] if numbers else low
    if low >= high:
        raise AutogradError(f"randint draws from low up to high - 1, and {low} is not below {high}")
    values = np.asarray((generator or default_generator()).integers(low, high, sizes((shapes[0],))))
    return leaf(values.astype(dtype), False, device)


def randperm(n: int, *, generator: Generator | None = None, device: str = CPU) -> Tensor:
    """The numbers below n in random order."""
    return leaf((generator or default_generator()).permutation(n), False, device)


def bernoulli(p: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that stands at each place of `p`, else 0; in the dtype of `p`."""
    return Tensor(((generator or default_generator()).random(p.shape) < p.value).astype(p.dtype))


def multinomial(
    weights: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Positions drawn by their weights: from one vector (K,), or from each row of (N, K).

    Raises AutogradError for negative weights, for a sum of 0, and where more are to be drawn without
    replacement than have a weight.
    """
    rows = np.atleast_2d(weights.value.astype(np.float64))
    if not (np.isfinite(rows).all() and (rows >= 0).all() and rows.sum(1).all()):
        raise AutogradError("multinomial takes finite weights from 0 on, whose sum is not 0")
    if not replacement and (most := np.count_nonzero(rows, 1).min()) < num_samples:
        raise AutogradError(
            f"multinomial: {num_samples} of {most} without replacement; replacement=True repeats"
        )
    chosen = [
        _drawn(row / row.sum(), num_samples, replacement, generator or default_generator()) for row in rows
    ]
    return Tensor(np.stack(chosen).reshape(*weights.shape[:-1], num_samples))


def _drawn(p: Array, n: int, replacement: bool, generator: Generator) -> Array:
    return generator.choice(len(p), n, replacement, p)
