"""Functions that are called with what enters a module and what leaves it, as to draw activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from nablab.autograd.errors import AutogradError
from nablab.autograd.gradient_hooks import RemovableHandle
from nablab.autograd.tensor import Tensor

Hook = Callable[..., Any]

KINDS = "_forward_pre_hooks", "_forward_hooks", "_backward_hooks"


class Hooked:
    """What can have hooks. Until there are any, a call costs no more than without."""

    #: How often hooks were registered or removed, anywhere: what holds an order of modules looks at it.
    hook_changes: ClassVar[int] = 0

    def register_forward_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(module, inputs)` before each forward; what it returns, unless None, replaces them."""
        return self._register("_forward_pre_hooks", hook)

    def register_forward_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(module, inputs, output)` after each forward.

        `inputs` is the tuple of those by position; what the hook returns, unless None, replaces the output.
        """
        return self._register("_forward_hooks", hook)

    def register_full_backward_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when a gradient has gone back through the module.

        Both are tuples, of the gradient of each input (None where there is none) and of the output. What the
        hook returns, unless None, replaces the first.

        A call raises AutogradError where several inputs require gradients, or the output is no tensor.
        """
        return self._register("_backward_hooks", hook)

    def _register(self, kind: str, hook: Hook) -> RemovableHandle:
        return RemovableHandle(self.__dict__.setdefault(kind, {}), hook, self._hooks_changed)

    def _hooks(self, kind: str) -> tuple[Hook, ...]:
        return tuple(self.__dict__.get(kind, {}).values())

    @property
    def hooked(self) -> bool:
        """Whether it has any now."""
        return any(map(self._hooks, KINDS))

    def _hooks_changed(self) -> None:
        """Let `forward` of this object be what calls the hooks; no other object is asked for any."""
        Hooked.hook_changes += 1
        if self.hooked:
            self.__dict__["forward"] = self._forward_with_hooks
        else:
            self.__dict__.pop("forward", None)

    def _forward_with_hooks(self, *inputs: Any, **options: Any) -> Any:
        for hook in self._hooks("_forward_pre_hooks"):
            changed = hook(self, inputs)
            if changed is not None:
                inputs = changed if isinstance(changed, tuple) else (changed,)
        if self._hooks("_backward_hooks"):
            output = self._forward_watched(inputs, options)
        else:
            output = type(self).forward(self, *inputs, **options)  # type: ignore[attr-defined]
        for hook in self._hooks("_forward_hooks"):
            changed = hook(self, inputs, output)
            if changed is not None:
                output = changed
        return output

    def _forward_watched(self, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Stand at both ends of the graph that the forward makes: the output, and a copy of the input."""
        places = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
        own = tuple(x.clone() if i in places else x for i, x in enumerate(inputs))
        output = type(self).forward(self, *own, **options)  # type: ignore[attr-defined]
        if not isinstance(output, Tensor) or len(places) > 1:
            raise AutogradError(
                f"backward hooks are for modules of one input and one output, not for {type(self).__name__}"
            )
        arrived: list[Tensor] = []

        def left(g: Tensor | None) -> Tensor | None:
            for hook in self._hooks("_backward_hooks"):
                given = tuple(g if i in places else None for i in range(len(inputs)))
                changed = hook(self, given, (arrived[-1],))
                if changed is not None and places:
                    g = changed[places[0]] if isinstance(changed, tuple) else changed
            return g

        if output.requires_grad:
            output.register_hook(arrived.append)
            if places:
                own[places[0]].register_hook(left)
            else:
                output.register_hook(lambda g: left(None))
        return output
