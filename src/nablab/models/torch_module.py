"""What a user's PyTorch module is: whether it can be trained here, its layers, its costs and its graph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nablab.errors import UserError
from nablab.models.model import LayerRow
from nablab.models.module_graph import trace_graph
from nablab.models.trial import TRIAL, Shape, at_rest, in_training, trial_batch

__all__ = ["check_module", "describe", "trace_graph"]


def check_module(module: object, input_shape: Shape, classes: int, name: str) -> nn.Module:
    """The module itself, once it has shown on two images, and on one, that it returns logits (N, classes).

    One alone is what a prediction is timed on, and what code that squeezes its output goes wrong on. A copy
    shows on two what it returns in training.

    Args:
        name: what to call it in errors.

    Raises:
        UserError: not a module, no numbers to train, another shape, probabilities in place of logits,
            logits that no gradient comes back from.
        Exception: whatever the module's own code raises.
    """
    if not isinstance(module, nn.Module):
        raise UserError(f"{name} is {type(module).__name__}, not a torch.nn.Module")
    with at_rest(module):
        two = trial_batch(module, input_shape)
        for images in (two.clone(), two[:1].clone()):  # a module may write over its input
            _check_scores(module(images), len(images), input_shape, classes, name)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise UserError(f"{name} has no parameter to train")
    for scores in in_training(module, input_shape):
        learned = _check_scores(scores, TRIAL, input_shape, classes, f"{name} in training mode")
        if not learned.requires_grad:
            raise UserError(
                f"{name} returns logits that no gradient comes back from, so that it cannot learn; leave out "
                "what cuts them off in its forward: detach(), no_grad(), .data, NumPy"
            )
    return module


def _check_scores(scores: object, images: int, input_shape: Shape, classes: int, name: str) -> Tensor:
    wanted = f"logits of shape (N, {classes})"
    if not isinstance(scores, Tensor):
        raise UserError(
            f"{name} returns {type(scores).__name__} for images {input_shape}; it must return {wanted}"
        )
    if scores.shape != (images, classes) or not scores.is_floating_point():
        raise UserError(
            f"{name} returns {str(scores.dtype).removeprefix('torch.')} of shape {tuple(scores.shape)} for "
            f"{images} image{'' if images == 1 else 's'} {input_shape}; it must return {wanted}"
        )
    if bool((scores >= 0).all() and ((scores.sum(1) - 1).abs() < 1e-4).all()):
        raise UserError(f"{name} returns probabilities; leave out its softmax, so that it returns {wanted}")
    return scores


def describe(module: nn.Module, input_shape: Shape) -> tuple[LayerRow, ...]:
    """The layer table of any module, measured on a trial batch.

    A row for each module without children, in the order in which they are first called, and one for
    each other module that computes or owns parameters itself. A module that is called twice has one row
    with the MACs of both calls; shared parameters count once; frozen ones do not. MACs are half of what
    `torch.utils.flop_counter` counts, and of recurrent layers, which it does not see, each weight once a
    step.

    Args:
        input_shape: of one image (C, H, W), or of one vector of features (D,).
    """
    paths = {part: path for path, part in module.named_modules()}
    calls: dict[str, _Call] = {}
    open_calls: list[_Call] = []
    counter = FlopCounterMode(display=False)

    def enter(part: nn.Module, inputs: tuple[Any, ...]) -> None:
        call = calls.setdefault(paths[part], _Call(paths[part], part, _shape(inputs)))
        call.entered, call.inner = counter.get_total_flops(), 0
        open_calls.append(call)

    def leave(part: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        call = open_calls.pop()
        flops = counter.get_total_flops() - call.entered
        call.flops += _recurrent(part, inputs) if isinstance(part, nn.RNNBase) else flops - call.inner
        call.output_shape = _shape(output)
        if open_calls:
            open_calls[-1].inner += flops

    hooks = [part.register_forward_pre_hook(enter) for part in paths]
    hooks += [part.register_forward_hook(leave) for part in paths]
    try:
        with at_rest(module), counter:
            module(trial_batch(module, input_shape))
    finally:
        for hook in hooks:
            hook.remove()
    _share_out_parameters(module, calls)
    return tuple(call.row() for call in calls.values() if call.counts)


@dataclass(eq=False)
class _Call:
    """What the hooks saw of one module."""

    path: str
    module: nn.Module
    input_shape: Shape
    output_shape: Shape = ()
    parameters: int = 0
    flops: int = 0
    entered: int = 0  # the counter when it was last called
    inner: int = 0  # FLOPs of the modules that this call called

    @property
    def counts(self) -> bool:
        return bool(self.parameters or self.flops) or not any(True for _ in self.module.children())

    def row(self) -> LayerRow:
        macs = self.flops // (2 * TRIAL)
        layer = type(self.module).__name__
        return LayerRow(self.path, layer, self.input_shape, self.output_shape, self.parameters, macs)


def _recurrent(part: nn.RNNBase, inputs: tuple[Any, ...]) -> int:
    """FLOPs of a recurrent layer: every weight is multiplied at each step of each sequence."""
    weights = sum(value.numel() for name, value in part.named_parameters() if "weight" in name)
    steps = int(math.prod(inputs[0].data.shape[:-1]))  # of a tensor, or of sequences that are packed
    return 2 * weights * steps


def _share_out_parameters(module: nn.Module, calls: dict[str, _Call]) -> None:
    """Count each trainable parameter at its module, or at the nearest one around it that was called."""
    for name, parameter in module.named_parameters():
        path = name.rpartition(".")[0]
        while path not in calls:
            path = path.rpartition(".")[0]
        calls[path].parameters += parameter.numel() if parameter.requires_grad else 0


def _shape(value: object) -> Shape:
    """The shape of the first tensor in what a module takes or returns, without the batch axis."""
    while isinstance(value, tuple | list) and value:
        value = value[0]
    return tuple(value.shape[1:]) if isinstance(value, Tensor) else ()
