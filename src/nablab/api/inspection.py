"""What a model is, before anything is trained: layers, shapes, costs, its graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nablab.api.layer_table import layer_cells, shape_text
from nablab.api.planning import DEFAULT_DATA
from nablab.api.sheet import Sheet, as_text
from nablab.atomic import write_text
from nablab.errors import UserError
from nablab.report import words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.data.dataset import Dataset
    from nablab.models.model import Model
    from nablab.runs.record import ModelRecord

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Inspection:
    """A model with its costs. Shows itself in a terminal and in a notebook.

    Attributes:
        record: label, detail, layers, parameters, MACs and FLOPs (2 x MACs) of one image, forward.
        input_shape: (C, H, W), or (D,) for features.
        classes: their number.
        latency: seconds for one image alone, untrained weights, median of repeats; None for estimators.
        svg: its graph as an SVG drawing; None for estimators.
    """

    record: ModelRecord
    input_shape: Shape
    classes: int
    latency: float | None = None
    svg: str | None = None

    def sheet(self) -> Sheet:
        """A row a layer, and the totals below; blocks that are repeated have a row for all their repeats."""
        headings = ("", "layer", "output", "parameters", "MACs")
        right = frozenset({"output", "parameters", "MACs"})
        return Sheet(headings, tuple(layer_cells(self.record.layers)), self.title, (self.summary,), right)

    @property
    def title(self) -> str:
        """The label, and what it stands for: layers, with repeats written as such, or settings."""
        from nablab.models.language import parse
        from nablab.models.printing import short_text

        detail, spec = self.record.detail, self.record.spec
        if spec is not None:
            detail = detail.replace(spec, short_text(parse(spec)))
        return f"{self.record.label}: {detail}" if detail else self.record.label

    @property
    def summary(self) -> str:
        """Parameters, MACs, FLOPs and latency in a line."""
        if self.record.parameters is None:
            return "its size and cost are known once it is fitted"
        said = (
            f"{words.number(self.record.parameters)} parameters, {words.number(self.record.macs)} MACs and "
            f"{words.number(self.record.flops)} FLOPs for one image of {shape_text(self.input_shape)}"
        )
        return (
            said
            if self.latency is None
            else f"{said}; {words.seconds(self.latency)} an image on this machine"
        )

    @property
    def file_name(self) -> str:
        """The label as a file can be called."""
        return re.sub(r"[^\w.-]+", "_", self.record.label).strip("_") or "model"

    def graph(self, path: str | Path) -> Path:
        """Write the drawing of the graph as an SVG file; returns its path.

        Raises:
            UserError: there is no graph to draw.
        """
        if self.svg is None:
            raise UserError(f"{self.record.label} has no graph that can be drawn")
        write_text(path, self.svg)
        return Path(path)

    def document(self) -> dict[str, Any]:
        """As plain data, as `--json` prints it."""
        from dataclasses import asdict

        return asdict(self.record) | {
            "input_shape": list(self.input_shape),
            "classes": self.classes,
            "latency_seconds": self.latency,
        }

    def __rich__(self) -> RenderableType:
        return self.sheet()

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return self.sheet()._repr_html_() + (self.svg or "")


def inspect(
    model: Any,
    data: str | Path | Dataset | None = None,
    *,
    input_shape: Shape | None = None,
    classes: int = 10,
    latency: bool = True,
) -> Inspection:
    """Layers, shapes, parameters, MACs, FLOPs and latency of a model, and its graph; nothing is trained.

    Args:
        model: one of those that `compare` takes.
        data: whose shape and classes it is for; by default 28 x 28 grey images and 10 classes.
        input_shape: (C, H, W), or (D,) for features, in place of `data`.
        classes: how many, with `input_shape`.
        latency: time one image; False leaves torch unloaded for networks of the layer language.

    Raises:
        UserError: an unknown model, one that does not fit, or a user's file that fails.
    """
    from nablab.models.reference import resolve
    from nablab.report.graph import model_svg
    from nablab.runs.describe import describe_model

    resolved = resolve(model)
    shape, classes = _fits(data, input_shape, classes)
    record = describe_model(resolved, shape, classes)
    if resolved.kind == "estimator":
        return Inspection(record, shape, classes)
    seconds = _latency(resolved, shape, classes) if latency else None
    return Inspection(record, shape, classes, seconds, model_svg(record.layers, record.graph))


def _fits(data: str | Path | Dataset | None, input_shape: Shape | None, classes: int) -> tuple[Shape, int]:
    from nablab.api.sources import load

    if not (isinstance(classes, Integral) and int(classes) > 0):
        raise UserError(f"classes must be a whole number above 0, not {classes!r:.80}")
    if input_shape is not None:
        if data is not None:
            raise UserError("data and input_shape are both given; choose one")
        return _as_shape(input_shape), int(classes)
    if data is None or (isinstance(data, str) and data == DEFAULT_DATA):
        return (1, 28, 28), 10
    dataset = load(data)
    return dataset.input_shape, len(dataset.classes)


def _as_shape(given: object) -> Shape:
    sizes = tuple(given) if isinstance(given, Iterable) else ()
    if not sizes or not all(isinstance(size, Integral) and int(size) > 0 for size in sizes):
        raise UserError(f"input_shape must be (C, H, W), or (D,) for features, not {given!r:.80}")
    return tuple(map(int, sizes))


def _module(model: Model, shape: Shape, classes: int) -> Any:
    if model.spec is not None:
        from nablab.models.torch_net import build

        return build(model.spec, shape, classes)
    assert model.factory is not None
    return model.factory(shape, classes)


def _latency(model: Model, shape: Shape, classes: int) -> float:
    """Median seconds of the forward pass of one image, as `nablab.training.timing` measures it."""
    import numpy as np

    from nablab.training.timing import seconds_a_call

    scores = _numpy_scores if model.engine == "numpy" else _torch_scores
    return seconds_a_call(scores(model, shape, classes), np.zeros((1, *shape), np.float32))


def _numpy_scores(model: Model, shape: Shape, classes: int) -> Callable[[Any], Any]:
    from nablab.models import numpy_net

    assert model.spec is not None
    return partial(numpy_net.scores, numpy_net.build(model.spec, shape, classes))


def _torch_scores(model: Model, shape: Shape, classes: int) -> Callable[[Any], Any]:
    import torch

    module = _module(model, shape, classes).eval()

    def scores(x: Any) -> Any:
        with torch.inference_mode():
            return module(torch.from_numpy(x)).numpy()

    return scores
