"""Matplotlib's figures as pictures in a notebook, alike on every machine, without pyplot's state."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Any

#: Pixels an inch: sharp on most screens, and a lab of thirty figures stays below a megabyte.
DPI = 110


def show_figures() -> None:
    """Let a notebook show a `matplotlib.figure.Figure` that a cell ends in, or that is given to `display`.

    Outside of a notebook it does nothing. Matplotlib is not imported by it.
    """
    shell = kernel_shell()
    if shell is not None:
        formatters = shell.display_formatter.formatters
        formatters["image/png"].for_type_by_name("matplotlib.figure", "Figure", figure_png)


def figure_png(figure: Any) -> bytes:
    """A figure as PNG on white, in 256 colours of its own; the same bytes for the same figure."""
    from PIL import Image

    drawn, packed = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
    # A third of the size; what is drawn has few colours, and pictures of data mostly greys.
    few = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(packed, format="PNG", optimize=True)
    return packed.getvalue()


def kernel_shell() -> Any:
    """IPython's shell where this is a notebook's kernel; None anywhere else."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if shell is not None and hasattr(shell, "kernel") else None
