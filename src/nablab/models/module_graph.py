"""The graph of a user's PyTorch module, as plain data to be drawn."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from nablab.models.model import GraphNode, ModuleGraph
from nablab.models.trial import Shape, at_rest, trial_batch


def trace_graph(module: nn.Module, input_shape: Shape) -> ModuleGraph | None:
    """The graph of a module: by `torch.fx` where its code can be followed, else by `torch.export`.

    Returns:
        None where neither can follow it.
    """
    with at_rest(module), _in_silence():
        batch = trial_batch(module, input_shape)
        for trace in (_trace_fx, _trace_export):
            try:
                return trace(module, batch)
            except Exception:  # both run code that may raise anything, and a missing drawing is no failure
                continue
    return None


def _trace_fx(module: nn.Module, batch: Tensor) -> ModuleGraph:
    traced = fx.symbolic_trace(module)
    ShapeProp(traced).propagate(batch)
    nodes = {}
    for node in traced.graph.nodes:
        meta = node.meta.get("tensor_meta")
        shape = getattr(meta, "shape", None)
        if shape is None and node.op != "output":
            continue  # a number, such as x.size(0)
        path = str(node.target) if node.op in ("call_module", "get_attr") else ""
        op, label = _OPERATIONS[node.op], _label(node)
        if node.op == "call_module":
            label = type(traced.get_submodule(path)).__name__
        sizes = tuple(shape) if shape is not None else ()
        nodes[node] = GraphNode(node.name, op, label, sizes if op == "parameter" else sizes[1:], path)
    return _graph(nodes)


def _trace_export(module: nn.Module, batch: Tensor) -> ModuleGraph:
    program = torch.export.export(module, (batch,))
    inputs = set(program.graph_signature.user_inputs)
    nodes = {}
    for node in program.graph.nodes:
        value = node.meta.get("val")
        is_weight = node.op == "placeholder" and node.name not in inputs
        if is_weight or (not isinstance(value, Tensor) and node.op != "output"):
            continue  # weights are what the operations are made of here, and would hide the structure
        shape = tuple(value.shape[1:]) if isinstance(value, Tensor) else ()
        nodes[node] = GraphNode(node.name, _OPERATIONS[node.op], _label(node), shape)
    return _graph(nodes)


_OPERATIONS: dict[str, Any] = {
    "placeholder": "input",
    "call_module": "module",
    "call_function": "function",
    "call_method": "function",
    "get_attr": "parameter",
    "output": "output",
}


def _label(node: fx.Node) -> str:
    """What a node does, without the decoration of how it is called."""
    if node.op in ("placeholder", "output"):
        return "input" if node.op == "placeholder" else "scores"
    target = (
        node.target if isinstance(node.target, str) else str(getattr(node.target, "__name__", node.target))
    )
    return target.removesuffix(".default").removesuffix(".Tensor").strip("_")


def _graph(nodes: dict[fx.Node, GraphNode]) -> ModuleGraph:
    edges = [
        (nodes[source].name, drawn.name)
        for node, drawn in nodes.items()
        for source in node.all_input_nodes
        if source in nodes
    ]
    *computed, output = nodes.values()
    returned = next(drawn for drawn in computed if (drawn.name, output.name) in edges)
    return ModuleGraph((*computed, replace(output, shape=returned.shape)), tuple(edges))


@contextmanager
def _in_silence() -> Iterator[None]:
    """Without warnings, log messages and prints: what cannot be traced is no news, and fills pages."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
