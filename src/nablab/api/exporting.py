"""Trained models as files for other programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nablab.errors import UserError

if TYPE_CHECKING:
    from nablab.data.dataset import Dataset

FORMATS = ("onnx", "pt2", "safetensors")


@dataclass(frozen=True)
class ExportedModel:
    """A file that was written, and how well it agrees with the run that it comes from.

    Attributes:
        path: of the file.
        format: `onnx`, `pt2` or `safetensors`.
        images: test images that it was asked about before it was kept.
        difference: the largest of its scores from the run's own.
        tolerance: up to which a difference is rounding.
    """

    path: Path
    format: str
    images: int
    difference: float
    tolerance: float

    def document(self) -> dict[str, Any]:
        """As plain data, as `--json` prints it."""
        return asdict(self) | {"path": str(self.path)}

    def __str__(self) -> str:
        return (
            f"{self.path}: its scores differ from the run's by {self.difference:.2g} at most, "
            f"on {self.images} test images"
        )


def export(
    run: str | Path,
    path: str | Path | None = None,
    *,
    format: Literal["onnx", "pt2", "safetensors"] = "onnx",
    model: Any = None,
    dataset: Dataset | None = None,
) -> ExportedModel:
    """Write the trained model of a run to a file that other programs read.

    The graph takes raw values as the data set holds them, (N, C, H, W) or (N, D), uint8 or float32, any N,
    and gives scores (N, K); its preprocessing is inside. Before the file is kept it is asked about up to 100
    test images, and its answers are held against the run's own.

    Args:
        run: the folder of one run.
        path: of the file; by default `model.onnx` (`model.pt2`, `model.safetensors`) in the run's folder.
        format: `onnx` (networks through torch.onnx, estimators through skl2onnx; needs the extra `onnx`),
            `pt2` (a program of torch.export), or `safetensors` (the weights alone).
        model: for a run of a live class or object: that again.
        dataset: the run's data, where it was made in Python.

    Raises:
        UserError: not one finished run; a format that does not exist for its model; packages are missing.
        NablabError: the model cannot be translated, or the file would answer otherwise; nothing is written.
    """
    from nablab.api.paths import as_path
    from nablab.api.records import single_run
    from nablab.api.sources import as_dataset
    from nablab.models.reference import resolve
    from nablab.runs.export import export_run

    if format not in FORMATS:
        raise UserError(f"no format {format!r}; choose one of {', '.join(FORMATS)}")
    done = export_run(
        single_run(run),
        format,
        None if path is None else as_path(path, "the file to write,"),
        model=None if model is None else resolve(model),
        dataset=as_dataset(dataset),
    )
    return ExportedModel(done.path, done.format, done.images, done.difference, done.tolerance)
