"""How many threads compute, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from nablab.data.augment import Augmentation
from nablab.models.model import Model


@contextmanager
def computing_with(
    threads: int, models: Sequence[Model], augmentation: Augmentation | None = None
) -> Iterator[None]:
    """BLAS, and the engines of these models, with this many threads; as before afterwards.

    Args:
        threads: 0 leaves them as they are.
        augmentation: of what the networks train on; some is done by PyTorch, whatever their engine.
    """
    if threads == 0:
        yield
        return
    from threadpoolctl import threadpool_limits

    engines = {model.engine for model in models if model.kind != "estimator"}
    with ExitStack() as limits:
        if "numpy" in engines:  # before BLAS is limited, which it takes its own number from
            limits.enter_context(_autograd_with(threads))
        limits.enter_context(threadpool_limits(limits=threads))
        if "torch" in engines or (engines and augmentation is not None and augmentation.interpolates):
            limits.enter_context(_torch_with(threads))
        yield


@contextmanager
def _torch_with(threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _autograd_with(threads: int) -> Iterator[None]:
    from nablab.autograd import parallel

    before = parallel.get_num_threads()
    parallel.set_num_threads(threads)
    try:
        yield
    finally:
        parallel.set_num_threads(before)
