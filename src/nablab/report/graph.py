"""Drawings of networks as SVG, without any installed program and without running the network."""

from __future__ import annotations

from collections.abc import Sequence

from nablab.models.model import LayerRow, ModuleGraph
from nablab.report.graph_module import module_svg
from nablab.report.graph_network import spec_svg

__all__ = ["model_svg", "module_svg", "spec_svg"]


def model_svg(layers: Sequence[LayerRow], graph: ModuleGraph | None, title: str = "Network") -> str:
    """What a record knows of a network, drawn: a module's traced graph, else its layers in order.

    Returns:
        an SVG element; empty where there are neither, as for estimators.
    """
    if graph is not None:
        return module_svg(graph, title)
    return spec_svg(layers, title) if layers else ""
