"""Data sets and loaders beside torch.utils.data: the same batches where nothing is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.utils.data

from nablab import autograd
from nablab.autograd import AutogradError
from nablab.autograd.utils import data

BOTH = pytest.mark.parametrize(
    ("m", "d"), [(autograd, data), (torch, torch.utils.data)], ids=["ours", "torch"]
)
X = np.arange(22.0).reshape(11, 2)


def plain(batch: Any) -> Any:
    """Batches as lists, whichever engine's."""
    if isinstance(batch, dict):
        return {key: plain(value) for key, value in batch.items()}
    if isinstance(batch, list | tuple):
        return [plain(part) for part in batch]
    return (str(batch.dtype).removeprefix("torch."), batch.tolist()) if hasattr(batch, "dtype") else batch


def tensors(m: Any, d: Any) -> Any:
    return d.TensorDataset(m.tensor(X), m.arange(11))


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 4, 11, 20])
def test_batches_in_order_as_torch(batch_size: int, drop_last: bool) -> None:
    batches = []
    for m, d in ((autograd, data), (torch, torch.utils.data)):
        loader = d.DataLoader(tensors(m, d), batch_size, drop_last=drop_last, num_workers=0, pin_memory=False)
        batches.append(plain(list(loader)))
        assert len(loader) == len(batches[-1])
        assert len(loader.dataset) == 11
    assert batches[0] == batches[1]


SAMPLES: dict[str, Any] = {
    "pairs of arrays and numbers": [(np.ones(3) * i, i) for i in range(5)],
    "floats": [0.5, 1.5, 2.5],
    "bools": [True, False],
    "NumPy's numbers": [(np.float32(i), np.int64(i)) for i in range(3)],
    "dicts": [{"image": np.ones((2, 2)), "name": name, "label": 1} for name in "ab"],
    "nested": [((1, 2.0), [np.arange(2)]), ((3, 4.0), [np.arange(2)])],
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_any_kind_as_torch(name: str) -> None:
    ours, theirs = (list(d.DataLoader(SAMPLES[name], batch_size=2)) for d in (data, torch.utils.data))
    assert plain(ours) == plain(theirs)


@BOTH
def test_a_data_set_of_ones_own(m: Any, d: Any) -> None:
    class Squares(d.Dataset):  # type: ignore[misc,name-defined]
        def __len__(self) -> int:
            return 5

        def __getitem__(self, i: int) -> Any:
            return m.tensor([float(i), i * i]), i % 2

    x, y = next(iter(d.DataLoader(Squares(), batch_size=3)))
    assert x.tolist() == [[0, 0], [1, 1], [2, 4]]
    assert y.tolist() == [0, 1, 0]
    part = d.Subset(Squares(), [4, 1])
    assert part[0][0].tolist() == [4, 16]
    assert [y.tolist() for _, y in d.DataLoader(part, 1)] == [[0], [1]]
    joined = d.DataLoader(Squares(), 2, collate_fn=lambda samples: [y for _, y in samples])
    assert list(joined) == [[0, 1], [0, 1], [0]]


@BOTH
def test_shuffling(m: Any, d: Any) -> None:
    m.manual_seed(0)
    loader = d.DataLoader(tensors(m, d), batch_size=4, shuffle=True)
    orders = [[i for _, y in loader for i in y.tolist()] for _ in range(2)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(11))
    assert all(x.tolist() == X[y.tolist()].tolist() for x, y in loader)
    m.manual_seed(0)
    assert [i for _, y in loader for i in y.tolist()] == orders[0]


@BOTH
@pytest.mark.parametrize(
    ("lengths", "sizes"), [([8, 3], [8, 3]), ([0.6, 0.2, 0.2], [7, 2, 2]), ([0.5, 0.5], [6, 5])]
)
def test_random_split(m: Any, d: Any, lengths: list[float], sizes: list[int]) -> None:
    m.manual_seed(3)
    parts = d.random_split(tensors(m, d), lengths)
    assert [len(part) for part in parts] == sizes
    assert sorted(i for part in parts for i in part.indices) == list(range(11))
    places = list(parts[0].indices)
    assert [i for _, y in d.DataLoader(parts[0], 3) for i in y.tolist()] == places


@BOTH
def test_samplers(m: Any, d: Any) -> None:
    m.manual_seed(1)
    some = d.DataLoader(tensors(m, d), 2, sampler=d.SubsetRandomSampler([1, 5, 7]))
    assert len(some) == 2
    assert sorted(i for _, y in some for i in y.tolist()) == [1, 5, 7]
    sampler = d.WeightedRandomSampler([0.0] * 9 + [3.0, 1.0], num_samples=4000)
    drawn = [i for _, y in d.DataLoader(tensors(m, d), 50, sampler=sampler) for i in y.tolist()]
    assert len(drawn) == len(sampler) == 4000
    assert set(drawn) == {9, 10}
    assert drawn.count(9) / 4000 == pytest.approx(0.75, abs=0.03)
    once = d.WeightedRandomSampler([1.0] * 11, num_samples=11, replacement=False)
    assert sorted(once) == list(range(11))


def test_torch_loads_our_tensors_and_we_load_its() -> None:
    ours = data.TensorDataset(autograd.tensor(X), autograd.arange(11))
    theirs = torch.utils.data.DataLoader(ours, batch_size=4, collate_fn=data.default_collate)
    assert plain(list(theirs)) == plain(list(data.DataLoader(ours, batch_size=4)))
    images = torch.utils.data.TensorDataset(torch.tensor(X), torch.arange(11))
    batch = next(iter(data.DataLoader(images, batch_size=4)))
    assert all(isinstance(part, autograd.Tensor) for part in batch)
    assert plain(batch) == plain(next(iter(theirs)))


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda d: data.TensorDataset(autograd.ones(2), autograd.ones(3)), "rows"),
        (lambda d: data.DataLoader(d, batch_size=0), "batch_size"),
        (lambda d: data.DataLoader(d, shuffle=True, sampler=[1]), "not both"),
        (lambda d: data.random_split(d, [4, 4]), "11 samples"),
        (lambda d: next(iter(data.DataLoader([object()]))), "collate_fn"),
    ],
)
def test_misuse(call: Any, word: str) -> None:
    with pytest.raises(AutogradError, match=word):
        call(tensors(autograd, data))


def test_a_data_set_without_methods() -> None:
    for call in (len, lambda d: d[0]):
        with pytest.raises(NotImplementedError, match="Dataset has no"):
            call(data.Dataset())
