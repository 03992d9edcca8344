"""What passes through a network: the shape after every layer, without building or running it.

`walk` checks a spec against an input and gives its layers with their shapes and names; the layer table
(`trace`), the costs, the initial weights and the modules of both engines are all read from that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from nablab.errors import UserError
from nablab.models import spec as layers
from nablab.models.model import LayerRow
from nablab.models.printing import layer_text, to_text
from nablab.models.spec import Layer, Residual, Spec

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Placed:
    """A layer in its place: between which shapes it stands, and under which name its parameters are.

    Shapes are without the batch axis: (C, H, W) or (D,). `projection` is the 1x1 convolution (or the
    linear layer, between vectors) that brings a residual's input to the shape of its body's output, where
    no `shortcut` is written to do that.
    """

    path: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    body: tuple[Placed, ...] = ()
    projection: Placed | None = None
    shortcut: tuple[Placed, ...] = ()

    @property
    def parameter_shapes(self) -> dict[str, Shape]:
        """The layer's own parameters in PyTorch's names and shapes: a residual has none of its own."""
        channels = self.input_shape[0]
        match self.layer:
            case layers.Conv(filters, kernel, _, _, groups, bias):
                weight = {"weight": (filters, channels // groups, kernel, kernel)}
                return weight | ({"bias": (filters,)} if bias else {})
            case layers.DepthwiseConv(kernel, _, _, bias):
                return {"weight": (channels, 1, kernel, kernel)} | ({"bias": (channels,)} if bias else {})
            case layers.Linear():
                units = self.output_shape[0]
                return {"weight": (units, math.prod(self.input_shape)), "bias": (units,)}
            case layers.BatchNorm() | layers.InstanceNorm() | layers.GroupNorm():
                return {"weight": (channels,), "bias": (channels,)}
            case layers.LayerNorm():
                return {"weight": self.input_shape, "bias": self.input_shape}
            case layers.PReLU():
                return {"weight": (1,)}
        return {}

    @property
    def row(self) -> LayerRow:
        """This layer alone as a row of the layer table."""
        shapes = self.parameter_shapes
        macs = 0
        if isinstance(self.layer, (layers.Conv, layers.DepthwiseConv, layers.Linear)):
            # Every weight is used once at each place of the output.
            macs = math.prod(shapes["weight"]) * math.prod(self.output_shape[1:])
        return LayerRow(
            path=self.path,
            layer="Res" if isinstance(self.layer, Residual) else layer_text(self.layer),
            input_shape=self.input_shape,
            output_shape=self.output_shape,
            parameters=sum(math.prod(shape) for shape in shapes.values()),
            macs=macs,
        )


def trace(spec: Spec, input_shape: Shape, classes: int) -> tuple[LayerRow, ...]:
    """The layer table of a network: shapes, parameters and MACs of each layer.

    A residual block at `3` gives the rows of its body (`3.body.0`, ...), of its projection (`3.project`)
    where there is one, or of its written shortcut (`3.shortcut.0`, ...), and last the sum itself (`3`, layer
    `Res`).

    Args:
        input_shape: of one image (C, H, W), or of one vector of features (D,).
        classes: the number of classes, which K stands for.

    >>> from nablab.models.language import parse
    >>> [row.output_shape for row in trace(parse("20C5p0-MaxPool2-K"), (1, 28, 28), 10)]
    [(20, 24, 24), (20, 12, 12), (10,)]

    Raises:
        UserError: the layers do not fit each other, the input or the classes; says which layer and shape.
    """
    return tuple(placed.row for placed in flatten(walk(spec, input_shape, classes)))


def walk(spec: Spec, input_shape: Shape, classes: int) -> tuple[Placed, ...]:
    """The layers of a network in their places.

    Raises:
        UserError: as `trace`.
    """
    try:
        if len(input_shape) not in (1, 3) or min(input_shape) < 1:
            raise UserError(f"its input {input_shape} is neither an image (C, H, W) nor features (D,)")
        placed = _sequence(spec.layers, tuple(input_shape), classes, path="", number="")
        _check_scores(placed[-1], classes)
    except UserError as error:
        text = to_text(spec)
        raise UserError(f'"{text if len(text) <= 60 else text[:57] + "..."}": {error}') from None
    return placed


def flatten(sequence: tuple[Placed, ...]) -> Iterator[Placed]:
    """Every layer in the order of computation; a residual comes after what it adds."""
    for placed in sequence:
        yield from flatten(placed.body)
        if placed.projection:
            yield placed.projection
        yield from flatten(placed.shortcut)
        yield placed


def _sequence(
    sequence: tuple[Layer, ...], shape: Shape, classes: int, *, path: str, number: str
) -> tuple[Placed, ...]:
    """`path` counts from 0, as names of parameters do; `number` from 1, as people do."""
    placed = []
    for index, layer in enumerate(sequence):
        here, count = f"{path}{index}", f"{number}{index + 1}"
        if isinstance(layer, Residual):
            step = _residual(layer, shape, classes, here, count)
        else:
            try:
                step = Placed(here, layer, shape, _output_shape(layer, shape, classes))
            except UserError as error:
                raise UserError(f"layer {count} ({layer_text(layer)}): {error}") from None
        placed.append(step)
        shape = step.output_shape
    return tuple(placed)


def _residual(layer: Residual, shape: Shape, classes: int, path: str, number: str) -> Placed:
    body = _sequence(layer.body, shape, classes, path=f"{path}.body.", number=f"{number}.")
    output_shape = body[-1].output_shape
    if layer.shortcut:
        shortcut = _sequence(layer.shortcut, shape, classes, path=f"{path}.shortcut.", number=f"{number}|")
        if shortcut[-1].output_shape != output_shape:
            raise UserError(
                f"layer {number} (Res): its body gives {output_shape} and its shortcut "
                f"{shortcut[-1].output_shape}, which cannot be added"
            )
        return Placed(path, layer, shape, output_shape, body, shortcut=shortcut)
    projection = None
    if output_shape != shape:
        joining = _joining_layer(shape, output_shape)
        if joining is None:
            raise UserError(
                f"layer {number} (Res): its input {shape} cannot be added to its output {output_shape}, "
                "and no stride of a 1x1 convolution makes it so"
            )
        projection = Placed(f"{path}.project", joining, shape, output_shape)
    return Placed(path, layer, shape, output_shape, body, projection)


def _joining_layer(shape: Shape, wanted: Shape) -> Layer | None:
    """The layer that brings a residual's input to the wanted shape, None where none does."""
    if len(shape) != len(wanted):
        return None
    if len(shape) == 1:
        return layers.Linear(wanted[0])
    # A 1x1 convolution of stride s turns a side of n into ceil(n / s).
    for stride in range(1, max(shape[1:]) + 1):
        if tuple(-(-side // stride) for side in shape[1:]) == wanted[1:]:
            return layers.Conv(wanted[0], 1, stride)
    return None


def _output_shape(layer: Layer, shape: Shape, classes: int) -> Shape:
    match layer:
        case layers.Conv(filters, _, _, _, groups):
            channels, *_ = _image(shape)
            if channels % groups or filters % groups:
                raise UserError(f"{groups} groups do not divide {channels} channels into {filters} filters")
            return (filters, *_slide(layer, shape))
        case layers.DepthwiseConv() | layers.MaxPool() | layers.AvgPool():
            return (shape[0], *_slide(layer, shape))
        case layers.GlobalAvgPool() | layers.GlobalMaxPool():
            return (_image(shape)[0],)
        case layers.Linear(units):
            return (classes if units is None else units,)
        case layers.Flatten():
            return (math.prod(shape),)
        case layers.Widen(channels):
            if channels < shape[0]:
                raise UserError(f"its input {shape} has more than {channels} channels, and it removes none")
            return (channels, *shape[1:])
        case layers.GroupNorm(groups) if shape[0] % groups:
            raise UserError(f"{groups} groups do not divide the {shape[0]} channels of {shape}")
        case layers.GroupNorm(groups) if math.prod(shape) == groups:
            raise UserError(f"one value a group, {shape}, cannot be normalised by itself")
        case layers.InstanceNorm() if math.prod(_image(shape)[1:]) == 1:
            raise UserError(f"one value a channel, {shape}, cannot be normalised by itself")
    return shape


def _image(shape: Shape) -> Shape:
    if len(shape) != 3:
        raise UserError(f"it needs an image (C, H, W), and gets {shape[0]} features")
    return shape


def _slide(
    window: layers.Conv | layers.DepthwiseConv | layers.MaxPool | layers.AvgPool, shape: Shape
) -> tuple[int, int]:
    """The height and width that a sliding window leaves."""
    _, height, width = _image(shape)
    kernel, padding = window.kernel, window.padding or 0
    stride = window.stride or kernel
    if kernel > min(height, width) + 2 * padding:
        padded = f" padded by {padding}" if padding else ""
        raise UserError(f"its kernel of {kernel}x{kernel} is larger than its input {shape}{padded}")
    return (
        (height + 2 * padding - kernel) // stride + 1,
        (width + 2 * padding - kernel) // stride + 1,
    )


def _check_scores(last: Placed, classes: int) -> None:
    shape = last.output_shape
    if shape == (classes,):
        return
    if len(shape) == 1:
        remedy = "write K as its last layer" if isinstance(last.layer, layers.Linear) else "end it in K"
        raise UserError(f"it ends in {shape[0]} scores, but there are {classes} classes; {remedy}")
    endings = ["Flatten"] * (math.prod(shape) == classes) + ["GlobalAvgPool"] * (shape[0] == classes)
    remedy = " or ".join(endings) or "K, or in GlobalAvgPool-K"
    raise UserError(f"it ends in an image, {shape}, not in scores of {classes} classes; end it in {remedy}")
