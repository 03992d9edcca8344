"""The ground of a tensor: an array, whether it requires a gradient, and the node that made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self
from weakref import ref

import numpy as np
from numpy import ndarray
from numpy.typing import DTypeLike

from nablab.autograd import backward as engine
from nablab.autograd import gradient_hooks, inplace
from nablab.autograd.devices import CPU, device
from nablab.autograd.dtypes import Array, DType, get_default_dtype, is_floating
from nablab.autograd.errors import AutogradError
from nablab.autograd.graph import Node, Version

if TYPE_CHECKING:
    from nablab.autograd.tensor import Tensor


class Variable:
    """An array that remembers how it was computed. What can be computed with it is `Tensor`'s to say.

    Attributes:
        value: the NumPy array itself; changing it goes unnoticed by the graph, `detach()` says so openly
        grad: the gradient, of the same shape, once a backward pass has reached it (leaves only, unless
            `retain_grad()`)
        grad_fn: the node that made it, None for a leaf
    """

    __slots__ = (
        "__weakref__", "_base", "_requires_grad", "_retains_grad", "_seen", "_version", "grad", "grad_fn",
        "value",
    )  # fmt: skip
    __array_ufunc__ = None  # array + tensor is the tensor's to compute

    grad: Tensor | None
    grad_fn: Node | None
    _seen: int  # of a view: how many recorded changes of its memory it knows

    def __init__(self, value: Array, requires_grad: bool = False) -> None:
        if type(value) is not ndarray:
            value = _numbers(value)
        self.value = value
        self.grad = None
        self.grad_fn = None
        self._requires_grad = False
        self._retains_grad = False
        self._version = Version()
        self._base: Variable | None = None
        if requires_grad:
            self.requires_grad = True

    # What it is.

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> DType:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def device(self) -> device:
        """Always "cpu": this engine computes with NumPy."""
        return CPU

    def dim(self) -> int:
        return self.value.ndim

    def numel(self) -> int:
        return self.value.size

    nelement = numel

    def size(self, dim: int | None = None) -> Any:
        """The shape, or its entry `dim`."""
        return self.shape if dim is None else self.shape[dim]

    def is_floating_point(self) -> bool:
        return is_floating(self.dtype)

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded. May only be set on a leaf of floating dtype."""
        return self._requires_grad_now()

    @requires_grad.setter
    def requires_grad(self, required: bool) -> None:
        if required and not is_floating(self.dtype):
            raise AutogradError(
                f"only tensors of floating dtype can require gradients, and this one is {self.dtype}; "
                "write 1. for 1, or convert it with .float()"
            )
        if self.grad_fn is not None and not required:
            raise AutogradError(
                "requires_grad can only be changed on a leaf; this tensor was computed by "
                f"{self.grad_fn.name()}: use detach() for the same values without their history"
            )
        self._requires_grad = bool(required)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """True where no recorded operation made it: gradients end here."""
        return self.grad_fn is None

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is not a leaf, as leaves do."""
        if not self._requires_grad:
            raise AutogradError("retain_grad() on a tensor that does not require a gradient")
        self._retains_grad = self.grad_fn is not None

    def register_hook(self, hook: Callable[[Any], Any]) -> gradient_hooks.RemovableHandle:
        """Call `hook` with each gradient of this tensor that arrives; what it returns takes its place.

        Raises AutogradError where the tensor does not require a gradient.
        """
        if not self.requires_grad:
            raise AutogradError("register_hook() on a tensor that does not require a gradient: none arrives")
        return gradient_hooks.hooks_of(self).register(hook)

    @property
    def retains_grad(self) -> bool:
        return self._retains_grad

    # Its values, outside the graph.

    def numpy(self) -> Array:
        """The array itself, sharing memory: what changes in one changes in the other."""
        if self._requires_grad:
            raise AutogradError("numpy() on a tensor that requires gradients: use tensor.detach().numpy()")
        return self.value

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        array = self.numpy()
        return np.array(array, dtype=dtype) if copy else np.asarray(array, dtype=dtype)

    def detach(self) -> Tensor:
        """The same memory without its history."""
        result = self._plain(self.value)
        result._version = self._version
        return result

    def detach_(self) -> Self:
        """Forget the history in place: the tensor becomes a leaf, such as the state of a recurrent network.

        Raises AutogradError for a view, whose history is that of the tensor which it looks into.
        """
        if self._base is not None and self.grad_fn is not None:
            raise AutogradError("detach_() of a view: use detach(), which returns a tensor without history")
        self.grad_fn = None
        self._requires_grad = self._retains_grad = False
        return self

    @property
    def data(self) -> Tensor:
        """As `detach()`. Setting it replaces the values and leaves `grad` alone."""
        return self.detach()

    @data.setter
    def data(self, values: Tensor) -> None:
        self.value = values.value
        self._version.changes += 1

    def item(self) -> Any:
        """The Python number in a tensor of one element."""
        if self.value.size != 1:
            raise AutogradError(f"item() needs a tensor of one element, this one has shape {self.shape}")
        return self.value.item()

    def tolist(self) -> Any:
        return self.value.tolist()

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self.value)

    def __bool__(self) -> bool:
        if self.value.size != 1:
            raise AutogradError(
                f"a tensor of shape {self.shape} is neither true nor false; use .any() or .all()"
            )
        return bool(self.value)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"only an integer tensor can be an index, this one is {self.dtype}")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        """As a number where it is one: `f"{loss:.3f}"`."""
        return object.__format__(self, spec) if self.ndim else format(self.item(), spec)

    __hash__ = object.__hash__

    # The graph.

    def backward(
        self,
        gradient: Variable | Array | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
        """Add to `grad` of every leaf that led here the gradient of this tensor.

        Args:
            gradient: the gradient of the result with respect to this tensor; 1 where it is a scalar
            retain_graph: keep what the graph saved, so that one can go backward through it again
            create_graph: not supported: gradients have no graph of their own

        Raises AutogradError where nothing requires a gradient, where `gradient` is missing or has another
        shape, where the graph was freed, or where a needed value was changed in place.
        """
        if create_graph:
            engine.refuse_graph_of_gradients()
        engine.backward(self, gradient, retain_graph=retain_graph)

    def _parent(self) -> Node | Variable:
        """Where the gradient of this tensor goes."""
        base = self._base
        if base is not None and base.grad_fn is not None and self._seen != self._version.recorded:
            self.grad_fn = inplace.look_again(base, self)
            self.grad_fn.output = ref(self)
            self._seen = self._version.recorded
        return self if self.grad_fn is None else self.grad_fn

    def _requires_grad_now(self) -> bool:
        """A view requires gradients from the moment that the tensor which it looks into does."""
        base = self._base
        if base is not None and base.grad_fn is not None and self._seen != self._version.recorded:
            self._requires_grad = True
        return self._requires_grad

    def _become_view(self, inputs: tuple[Any, ...]) -> None:
        """Share the version of the input whose memory this tensor shows, if there is one."""
        owner = self.value.base
        for x in inputs:
            if isinstance(x, Variable) and (x.value is owner or x.value.base is owner):
                self._version = x._version
                self._base = x if x._base is None else x._base
                self._seen = x._version.recorded
                return

    def _accumulate(self, g: Array) -> None:
        """Add to `grad`; the first one is kept as it is, so nobody else may hold its memory."""
        if self.grad is None:
            self.grad = self._plain(g)
        else:
            self.grad.value += g
            self.grad._version.changes += 1

    @staticmethod
    def _plain(value: Array) -> Tensor:
        """A tensor of these values, without a history."""
        raise NotImplementedError  # a metaclass for abstract classes would make each isinstance() slow


def _numbers(data: Any) -> Array:
    """Of lists an array of the default dtype, for `Tensor([1, 2])`; arrays of a class of their own as is."""
    if isinstance(data, ndarray):
        return data
    if isinstance(data, int):
        raise AutogradError(f"Tensor({data}) would be {data} numbers of any value: write zeros({data})")
    try:
        return np.array(data, get_default_dtype())
    except (ValueError, TypeError) as error:
        raise AutogradError(f"Tensor() cannot read these values: {error}") from error
