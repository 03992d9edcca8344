"""Drawings of networks as SVG, without any installed program and without running the network."""

from nablab.report.graph_module import module_svg
from nablab.report.graph_network import spec_svg

__all__ = ["module_svg", "spec_svg"]
