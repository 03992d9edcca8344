"""A trained model as a file for other programs, with its preprocessing inside, checked before it is kept.

The check: the file is read again and asked about test images of the run, whose scores the run has stored.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nablab import __version__, atomic
from nablab.data.dataset import Dataset
from nablab.data.preprocess import Preprocessing
from nablab.errors import NablabError, UserError
from nablab.models.model import Model
from nablab.runs.leftovers import remove_links
from nablab.runs.planned import DataReference
from nablab.runs.record import RunRecord
from nablab.runs.store import RunFolder

Format = Literal["onnx", "pt2", "safetensors"]

#: A file's content, and what it says about raw images when it is read again.
Asked = Callable[[NDArray[Any]], NDArray[np.float32]]

#: Test images that a file is checked on.
CHECKED = 100
#: The largest difference that is rounding, as a share of the largest score (at least 1).
ROUNDING = 1e-4
#: The same where scores were computed in fewer digits: TF32, as accelerators do.
COARSE = 5e-2


@dataclass(frozen=True)
class Export:
    """What was written, and how well it agrees with the run."""

    path: Path
    format: Format
    images: int  #: test images that it was checked on
    difference: float  #: the largest from the run's scores
    tolerance: float  #: what would still have been rounding


@dataclass(frozen=True, eq=False)
class Checks:
    """Test images as the data set holds them, and what the run said about them."""

    images: NDArray[Any]
    scores: NDArray[np.float32]


def export_run(
    folder: RunFolder | Path | str,
    format_: Format,
    path: Path | str | None = None,
    *,
    model: Model | None = None,
    dataset: Dataset | None = None,
) -> Export:
    """Write the trained model of a run to a file, unless that would answer otherwise than the run did.

    Args:
        path: of the file; by default `model.onnx` (`.pt2`, `.safetensors`) in the run's folder.
        model: for a class or object of a Python session, what it resolves to.
        dataset: the run's data, where it was made in Python.

    Raises:
        UserError: the run has not finished, or what is asked for does not exist for its model.
        NablabError: the model cannot be translated, or the file differs from the run; nothing is written.
    """
    run = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    record = run.record()
    if record.status != "done":
        raise UserError(f"{run.path} has not finished (it is {record.status}); there is no model to export")
    if path is None:
        path = run.path / f"model.{format_}"
        remove_links(run.path, [path.name])
    path = Path(path)
    checks = find_checks(run, record, dataset)
    content, ask = _translate(run, record, format_, model, dataset, checks)
    said = (
        np.concatenate([ask(checks.images[:1]), ask(checks.images[1:])])
        if len(checks.images) > 1
        else (ask(checks.images))
    )
    difference, tolerance = _difference(said, checks.scores), tolerance_of(record, checks.scores)
    if not difference <= tolerance:
        raise NablabError(
            f"{format_} of {record.id} differs from the run's own scores by {difference:.2g} on "
            f"{len(checks.images)} test images, and rounding explains {tolerance:.2g}; nothing was written"
        )
    atomic.write_bytes(path, content)
    return Export(path, format_, len(checks.images), difference, tolerance)


def _translate(
    run: RunFolder,
    record: RunRecord,
    format_: Format,
    model: Model | None,
    dataset: Dataset | None,
    checks: Checks,
) -> tuple[bytes, Asked]:
    preprocessing = Preprocessing.from_dict(record.preprocessing)
    metadata = metadata_of(record, checks.images.dtype)
    if record.model.kind != "estimator":
        from nablab.runs import export_network
        from nablab.runs.predict import load_module

        module = load_module(run, record, model)
        return export_network.translate(module, record, preprocessing, format_, metadata, checks.images.dtype)
    if format_ != "onnx":
        raise UserError(f"{record.id} is a scikit-learn estimator; those are exported with --onnx")
    from nablab.runs import export_estimator
    from nablab.runs.estimator_file import read_estimator

    estimator = read_estimator(run.path, record, dataset)
    return export_estimator.translate(estimator, record, preprocessing, metadata, checks.images.dtype)


def find_checks(run: RunFolder, record: RunRecord, dataset: Dataset | None = None) -> Checks:
    """Up to `CHECKED` test images of a run: those that it kept, or the first ones of its data where it kept
    fewer and the data can be loaded.

    Raises:
        UserError: no image is there, or the run's answers are not.
    """
    predictions = run.predictions()
    kept, indices = _kept(run)
    if len(kept) < CHECKED and (found := _from_data(record, predictions.indices[:CHECKED], dataset)):
        kept, indices = found
    if not len(kept):
        raise UserError(
            f"{run.path} keeps no test images and its data {record.data.name} cannot be loaded, so that "
            f"nothing could be checked; give the data (dataset=)"
        )
    kept, indices = kept[:CHECKED], indices[:CHECKED]
    row = {int(index): place for place, index in enumerate(predictions.indices)}
    return Checks(kept, predictions.scores[[row[int(index)] for index in indices]])


def _kept(run: RunFolder) -> tuple[NDArray[Any], NDArray[np.int64]]:
    try:
        examples = run.examples()
    except UserError:
        return np.empty(0), np.empty(0, np.int64)
    return examples.images, examples.indices


def _from_data(
    record: RunRecord, indices: NDArray[np.int64], dataset: Dataset | None
) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
    """The test images of these positions; None where the data is not at hand as it was."""
    if dataset is None:
        try:
            dataset = DataReference(record.data.reference, record.data.options).load(record.id)
        except NablabError:
            return None
    if dataset.fingerprint != record.data.fingerprint:
        return None
    place = {int(number): row for row, number in enumerate(dataset.test_ids)}
    rows = np.array([place[int(index)] for index in indices])
    return np.asarray(dataset.x_test[rows]), indices


def tolerance_of(record: RunRecord, scores: NDArray[np.float32]) -> float:
    """The largest difference that is rounding."""
    return (ROUNDING if record.environment.device == "cpu" else COARSE) * max(
        1.0, float(np.abs(scores).max())
    )


def _difference(said: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    if said.shape != wanted.shape:
        return float("inf")
    return float(np.abs(said.astype(np.float64) - wanted).max())


def metadata_of(record: RunRecord, dtype: np.dtype[Any]) -> dict[str, str]:
    """What an exported file says of itself, as texts; lists and tables as JSON."""
    data = record.data
    return {
        "nablab": __version__,
        "run": record.id,
        "created": record.created,
        "model": record.model.detail,
        "data": data.name,
        "fingerprint": data.fingerprint,
        "classes": json.dumps(data.classes, ensure_ascii=False),
        "scores": record.model.score_kind,
        "input_shape": json.dumps(data.input_shape),
        "input_type": dtype.name,
        "value_range": json.dumps(data.value_range),
        "preprocessing": json.dumps(record.preprocessing),
        "tta": record.recipe.get("tta", "none"),
        "test_accuracy": "" if record.totals is None else repr(record.totals.test_accuracy),
    }


def input_name(record: RunRecord) -> str:
    """What the input of an exported graph is called."""
    return "images" if len(record.data.input_shape) == 3 else "features"
