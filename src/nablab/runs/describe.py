"""A model as a record holds it: its layers, parameters and costs for data of one shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nablab.models.model import LayerRow, Model, ModuleGraph
from nablab.runs.record import ModelRecord


def describe_model(model: Model, input_shape: tuple[int, ...], classes: int) -> ModelRecord:
    """What is known of a model without training it. A user's module is built once, and called once.

    Raises:
        UserError: a network that doesn't fit the data (which layer, which shape), or a user's module that
            fails (its own error and line).
    """
    rows, graph = _structure(model, input_shape, classes)
    costs: dict[str, Any] = {}
    if rows is not None:
        from nablab.models.cost import count

        cost = count(rows)
        costs = {"parameters": cost.parameters, "macs": cost.macs, "flops": cost.flops, "layers": rows}
    elif model.counts is not None:
        parameters, macs = model.counts(input_shape, classes)
        costs = {"parameters": parameters, "macs": macs, "flops": 2 * macs}
    return ModelRecord(
        label=model.label,
        reference=model.reference,
        kind=model.kind,
        detail=model.detail,
        score_kind=model.score_kind,
        spec=None if model.spec is None else str(model.spec),
        source_file=model.source_file,
        seeded=model.seeded,
        engine=model.engine,
        graph=graph,
        **costs,
    )


def counted(model: ModelRecord, estimator: Any) -> ModelRecord:
    """The record of an estimator that is fitted now, with what it costs; methods unknown to us stay as they
    are."""
    from nablab.models.estimator_cost import estimator_cost

    cost = estimator_cost(estimator)
    if cost is None:
        return model
    return replace(
        model, parameters=cost.parameters, macs=cost.macs, flops=2 * cost.macs, counted=cost.counted
    )


def _structure(
    model: Model, input_shape: tuple[int, ...], classes: int
) -> tuple[tuple[LayerRow, ...] | None, ModuleGraph | None]:
    """The layers of a network or module, and the graph of a module that can be followed."""
    if model.spec is not None:
        from nablab.models.shapes import trace

        return trace(model.spec, input_shape, classes), None
    if model.factory is not None:
        from nablab.models.torch_module import describe, trace_graph

        module = model.factory(input_shape, classes)
        return describe(module, input_shape), trace_graph(module, input_shape)
    return None, None
