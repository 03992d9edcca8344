"""Whether operations are recorded: one switch for each thread, as in PyTorch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from inspect import isgeneratorfunction
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class _Mode(threading.local):
    recording = True


mode = _Mode()


def is_grad_enabled() -> bool:
    """True where operations on tensors that require gradients are being recorded."""
    return mode.recording


class set_grad_enabled:  # noqa: N801  (PyTorch's name)
    """Switches recording on or off: at once, for a `with` block, or for a decorated function.

    >>> from nablab import autograd
    >>> with autograd.set_grad_enabled(False):
    ...     autograd.is_grad_enabled()
    False
    """

    def __init__(self, recording: bool) -> None:
        self.recording = recording
        self._before = mode.recording
        mode.recording = recording

    def __enter__(self) -> None:
        mode.recording = self.recording

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mode.recording = self._before

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        mode.recording = self._before  # the function only, when it is called
        return _switched(function, lambda: set_grad_enabled(self.recording))


class _Switch:
    """A context manager and decorator, with or without brackets; may be entered again inside itself."""

    recording: bool

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(mode.recording)
        mode.recording = self.recording

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mode.recording = self._before.pop()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return _switched(function, type(self))


def _switched(function: Callable[P, R], switch: Callable[[], AbstractContextManager[None]]) -> Callable[P, R]:
    """The function, run under the switch; a generator at each of its steps, and not what runs in between."""

    @wraps(function)
    def switched(*args: P.args, **kwargs: P.kwargs) -> R:
        with switch():
            return function(*args, **kwargs)

    @wraps(function)
    def step_by_step(*args: P.args, **kwargs: P.kwargs) -> Any:
        steps: Any = function(*args, **kwargs)
        sent = None
        while True:
            with switch():
                try:
                    value = steps.send(sent)
                except StopIteration as end:
                    return end.value
            sent = yield value

    return step_by_step if isgeneratorfunction(function) else switched


class no_grad(_Switch):  # noqa: N801  (PyTorch's name)
    """Nothing inside is recorded: results do not require gradients, leaves may be changed in place.

    >>> from nablab import autograd
    >>> w = autograd.ones(2, requires_grad=True)
    >>> with autograd.no_grad():
    ...     w -= 0.5
    >>> w
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    recording = False


#: PyTorch's stricter form, whose results may never be used in a graph; here it is the same.
inference_mode = no_grad


class enable_grad(_Switch):  # noqa: N801  (PyTorch's name)
    """Records inside, even where an outer `no_grad()` does not."""

    recording = True
