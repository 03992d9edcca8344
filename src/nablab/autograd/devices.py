"""Devices, of which this engine has one: programs that choose "cuda" where there is one run on the CPU."""

from __future__ import annotations

from nablab.autograd.errors import AutogradError


class device(str):  # noqa: N801  (PyTorch's name)
    """The name of a device. Raises AutogradError for any but the CPU.

    >>> device("cpu").type
    'cpu'
    """

    __slots__ = ()

    def __new__(cls, name: str = "cpu") -> device:
        if name not in ("cpu", "cpu:0"):
            raise AutogradError(f"no device {name}: this engine computes with NumPy, on the CPU")
        return super().__new__(cls, name)

    @property
    def type(self) -> str:
        return "cpu"


CPU = device()
