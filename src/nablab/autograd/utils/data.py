"""Data sets and batches of them, by PyTorch's names. Batches are made in the program, without workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import ceil, floor, isclose
from typing import Any

import numpy as np

from nablab.autograd.create import as_tensor, default_generator, tensor
from nablab.autograd.dtypes import Array, float64
from nablab.autograd.errors import AutogradError
from nablab.autograd.functions import stack
from nablab.autograd.tensor import Tensor

Generator = np.random.Generator


class Dataset:
    """The base of data sets: subclasses define `__len__` and `__getitem__`, which gives a sample."""

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__()")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__()")


class TensorDataset(Dataset):
    """Samples are the rows of tensors: (x[i], y[i]). Raises AutogradError where these are not as many."""

    def __init__(self, *tensors: Tensor) -> None:
        if len({len(t) for t in tensors}) != 1:
            raise AutogradError(f"TensorDataset: tensors of {[len(t) for t in tensors]} rows, not of as many")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """The samples of a data set at some places."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """The data set dealt out at random into parts of these lengths, or shares that add up to 1.

    Raises AutogradError where they are not as much as there is.
    """
    n = len(dataset)
    shares = isclose(sum(lengths), 1) and sum(lengths) <= 1
    sizes = [floor(part * n) if shares else int(part) for part in lengths]
    for i in range(n - sum(sizes) if shares else 0):  # what rounding left over, one for each in turn
        sizes[i % len(sizes)] += 1
    if sum(sizes) != n:
        raise AutogradError(f"random_split: parts of {sizes} are not the {n} samples of the data set")
    order = (generator or default_generator()).permutation(n)
    ends = np.cumsum(sizes, dtype=int)
    return [Subset(dataset, part.tolist()) for part in np.split(order, ends[:-1])]


class SubsetRandomSampler:
    """Some places, in another random order each time."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        order = (self.generator or default_generator()).permutation(len(self.indices))
        return (self.indices[i] for i in order.tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler:
    """Places drawn with chances in proportion to weights, as to see rare classes as often as others."""

    def __init__(
        self, weights: Sequence[float] | Tensor, num_samples: int, replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:  # fmt: skip
        self.weights = np.asarray(weights, float64)
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        chances = self.weights / self.weights.sum()
        drawn = (self.generator or default_generator()).choice(
            len(chances), self.num_samples, self.replacement, chances
        )
        return iter(drawn.tolist())

    def __len__(self) -> int:
        return self.num_samples


class DataLoader:
    """Batches of a data set: with `shuffle` in another random order each time, or in that of a `sampler`.

    `drop_last` leaves a last batch that is not full away. `collate_fn` makes a batch of a list of samples;
    `num_workers` and `pin_memory` are taken for PyTorch's sake.

    >>> from nablab import autograd
    >>> data = TensorDataset(autograd.arange(5), autograd.arange(5) ** 2)
    >>> [x.tolist() for x, y in DataLoader(data, batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self, dataset: Any, batch_size: int = 1, shuffle: bool = False, sampler: Iterable[int] | None = None,
        *, num_workers: int = 0, collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False, drop_last: bool = False, generator: Generator | None = None,
    ) -> None:  # fmt: skip
        if batch_size < 1:
            raise AutogradError(f"batch_size must be at least 1, it is {batch_size}")
        if shuffle and sampler is not None:
            raise AutogradError("DataLoader: the order is the sampler's, or shuffle's, not both")
        self.dataset, self.batch_size, self.shuffle, self.sampler = dataset, batch_size, shuffle, sampler
        self.collate_fn, self.drop_last, self.generator = collate_fn, drop_last, generator

    def _order(self) -> Array:
        if self.sampler is not None:
            return np.fromiter(self.sampler, int)
        if self.shuffle:
            return (self.generator or default_generator()).permutation(len(self.dataset))
        return np.arange(len(self.dataset))

    def __iter__(self) -> Iterator[Any]:
        order = self._order()
        stop = len(order) - self.batch_size + 1 if self.drop_last else len(order)
        for start in range(0, stop, self.batch_size):
            places = order[start : start + self.batch_size]
            if self.collate_fn is None:
                yield _batch(self.dataset, places)
            else:
                yield self.collate_fn([self.dataset[i] for i in places.tolist()])

    def __len__(self) -> int:
        """How many batches there are."""
        n = len(self.dataset) if self.sampler is None else len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else ceil(n / self.batch_size)


def _batch(dataset: Any, places: Array) -> Any:
    """The samples at some places as a batch: rows of tensors at once, others one by one."""
    if type(dataset) is TensorDataset:
        return [t[places] for t in dataset.tensors]
    if type(dataset) is Subset:
        return _batch(dataset.dataset, np.asarray(dataset.indices)[places])
    return default_collate([dataset[i] for i in places.tolist()])


def default_collate(batch: Sequence[Any]) -> Any:
    """Samples of one kind as one batch, with a first dimension more.

    Tensors, arrays and numbers become a tensor, PyTorch's tensors, too; tuples, lists and dicts what they
    hold, each by itself; texts a list.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch))
    if isinstance(first, str | bytes):
        return list(batch)
    if hasattr(first, "__array__"):
        return as_tensor(np.stack([np.asarray(sample) for sample in batch]))
    if isinstance(first, float):
        return tensor(list(batch), dtype=float64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, Sequence):
        return [default_collate(parts) for parts in zip(*batch, strict=True)]
    raise AutogradError(f"no batch can be made of {type(first).__name__}; give the DataLoader a collate_fn")
