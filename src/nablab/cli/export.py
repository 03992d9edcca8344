"""nablab export: `nablab.export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from nablab.cli.options import OutputOptions, option
from nablab.errors import UserError

WRITE = Group("What to write", "Each is checked against the run's own scores before it is kept.", sort_key=1)

Format = Literal["onnx", "pt2", "safetensors"]


def export(
    run: Annotated[Path, Parameter(help="The folder of one run.")],
    /,
    *,
    onnx: Annotated[bool, option(WRITE, "ONNX, preprocessing inside; networks and estimators.")] = False,
    pt2: Annotated[bool, option(WRITE, "A program of torch.export, preprocessing inside.")] = False,
    safetensors: Annotated[bool, option(WRITE, "The weights alone.")] = False,
    out: Annotated[Path | None, option(WRITE, "The file. [model.onnx, ... in the run's folder]")] = None,
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Write a trained model for other programs."""
    import nablab

    asked: dict[Format, bool] = {"onnx": onnx, "pt2": pt2, "safetensors": safetensors}
    formats = [name for name, wanted in asked.items() if wanted]
    if not formats:
        raise UserError("export to what? give --onnx, --pt2 or --safetensors")
    if out is not None and len(formats) > 1:
        raise UserError(f"--out {out} is one file; give one of {' '.join(f'--{name}' for name in formats)}")
    done = []
    for name in formats:
        with output.working(f"exporting to {name}"):
            done.append(nablab.export(run, out, format=name))
    output.show("\n".join(map(str, done)), [one.document() for one in done])
    return 0
