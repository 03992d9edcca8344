"""Run folders on disk: reading them, and writing them so that no crash leaves half a file.

`record` says which files a run folder holds. Nothing here is pickled, and nothing that is read is executed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab import atomic
from nablab.errors import CannotWrite, UserError
from nablab.runs.arrays import read_arrays, read_tensors, write_arrays, write_tensors
from nablab.runs.lock import is_locked, locked
from nablab.runs.record import RunRecord, parse_record
from nablab.training.signals import EpochMetrics

Array = NDArray[Any]

RECORD = "run.json"
METRICS = "metrics.jsonl"
PREDICTIONS = "predictions.npz"
EXAMPLES = "examples.npz"
WEIGHTS = "weights.safetensors"
PLAN = "plan.json"
RUNS = "runs"

_METRIC_NAMES = {f.name for f in fields(EpochMetrics)}


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a finished run said about the test images.

    Attributes:
        y: (M,) int64, the true labels.
        scores: (M, K) float32, what the model said; `ModelRecord.score_kind` says what they are.
        indices: (M,) int64, each image's position in the full test set.
    """

    y: NDArray[np.int64]
    scores: NDArray[np.float32]
    indices: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Examples:
    """The few test images that reports show, with the pixels that the data set holds.

    Attributes:
        images: (E, C, H, W), or (E, D) for features; uint8 or float32.
        indices: (E,) int64, each image's position in the full test set.
    """

    images: Array
    indices: NDArray[np.int64]


class RunFolder:
    """One run on disk. Opening it reads nothing; it need not exist yet."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunFolder) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / RECORD).is_file()

    @property
    def is_live(self) -> bool:
        """Whether a process works on it now. A record that says running without one was killed."""
        return is_locked(self.path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder while writing to it.

        Raises:
            UserError: another process holds it.
        """
        with locked(self.path):
            yield

    def record(self) -> RunRecord:
        """The record in `run.json`.

        Raises:
            UserError: there is none, or it cannot be read.
        """
        path = self.path / RECORD
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UserError(f"no run in {self.path} (it has no {RECORD})") from None
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read {path}: {error}") from error
        return parse_record(text, str(path))

    def write_record(self, record: RunRecord) -> None:
        atomic.write_text(self.path / RECORD, record.to_json())

    def metrics(self) -> list[EpochMetrics]:
        """The epochs measured so far, oldest first; empty for estimators.

        A last line that was cut off by a crash is left out.

        Raises:
            UserError: a line before the last is not what nablab writes.
        """
        return parse_metrics(self._metrics_text(), str(self.path / METRICS))

    def append_metrics(self, metrics: EpochMetrics) -> None:
        """Add one line. What a crash cut off before it is removed first.

        Raises:
            CannotWrite: the disk is full or the folder is read-only; earlier lines are intact.
        """
        path = self.path / METRICS
        try:
            whole = _whole_lines(path)
            with path.open("r+b" if path.exists() else "wb") as file:
                file.truncate(whole)
                file.seek(whole)
                file.write((json.dumps(asdict(metrics)) + "\n").encode("utf-8"))
        except OSError as error:
            raise CannotWrite(
                f"cannot write {path}: {error.strerror or error}; earlier epochs are intact"
            ) from error

    def sync_metrics(self) -> None:
        """Force the lines to the disk: what goes on from a checkpoint needs those before it.

        Raises:
            CannotWrite: the disk is full.
        """
        try:
            with (self.path / METRICS).open("rb") as file:
                os.fsync(file.fileno())
        except FileNotFoundError:
            pass  # no epoch has ended yet
        except OSError as error:
            raise CannotWrite(f"cannot write {self.path / METRICS}: {error.strerror or error}") from error

    def keep_metrics(self, epochs: int) -> None:
        """Forget what was measured after this many epochs (they are about to be trained again)."""
        kept = [m for m in self.metrics() if m.epoch <= epochs]
        atomic.write_text(self.path / METRICS, "".join(json.dumps(asdict(m)) + "\n" for m in kept))

    def predictions(self) -> Predictions:
        """Test labels and scores of a finished run.

        Raises:
            UserError: the run has none, or the file is damaged.
        """
        y, scores, indices = read_arrays(self.path / PREDICTIONS, ("y", "scores", "indices"))
        if scores.ndim != 2 or not y.shape == indices.shape == scores.shape[:1]:
            raise UserError(
                f"{self.path / PREDICTIONS} is damaged: its arrays are not of as many test images: "
                f"labels {y.shape}, scores {scores.shape}, positions {indices.shape}"
            )
        return Predictions(y, scores, indices)

    def write_predictions(self, predictions: Predictions) -> None:
        write_arrays(
            self.path / PREDICTIONS,
            y=predictions.y.astype(np.int64),
            scores=predictions.scores.astype(np.float32),
            indices=predictions.indices.astype(np.int64),
        )

    def examples(self) -> Examples:
        """The few test images that reports show.

        Raises:
            UserError: the run has none, or the file is damaged.
        """
        images, indices = read_arrays(self.path / EXAMPLES, ("images", "indices"))
        return Examples(images, indices)

    def write_examples(self, examples: Examples) -> None:
        write_arrays(self.path / EXAMPLES, images=examples.images, indices=examples.indices.astype(np.int64))

    def weights(self) -> dict[str, Array]:
        """The kept weights of a network or module, by the names of its `state_dict`.

        Raises:
            UserError: the run has none (an estimator, or not finished), or the file is damaged.
        """
        return read_tensors(self.path / WEIGHTS)[0]

    def write_weights(self, weights: dict[str, Array]) -> int:
        """Store them; the size of the file in bytes."""
        write_tensors(self.path / WEIGHTS, weights, {"format": "pt"})
        return (self.path / WEIGHTS).stat().st_size

    def delete(self) -> None:
        """Remove the whole run.

        Raises:
            UserError: a process works on it.
            CannotWrite: something in it cannot be removed.
        """
        if not self.exists:
            raise UserError(f"no run in {self.path} (it has no {RECORD})")
        with self.lock():
            try:
                (self.path / RECORD).unlink()  # first: what a Ctrl-C leaves must not say that it is done
                shutil.rmtree(self.path)
            except OSError as error:
                raise CannotWrite(f"cannot remove {self.path}: {error.strerror or error}") from error

    def _metrics_text(self) -> str:
        path = self.path / METRICS
        try:
            return path.read_bytes()[: _whole_lines(path)].decode("utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read {path}: {error}") from error


def parse_metrics(text: str, where: str) -> list[EpochMetrics]:
    """The lines of a `metrics.jsonl`; `where` names it in errors.

    Fields that a later nablab added are left out.

    Raises:
        UserError: a line is not what nablab writes.
    """
    metrics = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            values = json.loads(line)
            metrics.append(EpochMetrics(**{k: v for k, v in values.items() if k in _METRIC_NAMES}))
        except (json.JSONDecodeError, AttributeError, TypeError) as error:
            raise UserError(f"{where}, line {number}, is not the measurement of an epoch: {error}") from error
    return metrics


def find_runs(folder: Path | str) -> list[RunFolder]:
    """The runs in a run folder, a comparison folder, or a folder of such folders.

    Those of a comparison come in the order of its plan, others by name.

    Raises:
        UserError: there is no such folder, or no run in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; give a run, or the --out folder of a comparison")
    found = list(_runs_in(folder))
    if not found:
        raise UserError(f"no runs in {folder}; give a run, or the --out folder of a comparison")
    return found


def _runs_in(folder: Path, depth: int = 2) -> Iterator[RunFolder]:
    """The run that `folder` is, or those of the comparison that it is, or all that its folders hold."""
    if (folder / RECORD).is_file():
        yield RunFolder(folder)
    elif _is_comparison(folder):
        order = {name: position for position, name in enumerate(_planned_ids(folder / PLAN))}
        paths = sorted(_folders(folder / RUNS), key=lambda path: order.get(path.name, len(order)))
        yield from (RunFolder(path) for path in paths if (path / RECORD).is_file())
    elif depth:
        for child in _folders(folder):
            yield from _runs_in(child, depth - 1)


def _is_comparison(folder: Path) -> bool:
    """Whether its `runs` are its own, and not the comparisons that go into `runs` by default."""
    own = folder / RUNS
    return own.is_dir() and (
        (folder / PLAN).exists() or any((path / RECORD).is_file() for path in _folders(own))
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _planned_ids(path: Path) -> Iterable[str]:
    try:
        return [str(run["id"]) for run in json.loads(path.read_text(encoding="utf-8"))["runs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # no plan, or one that `read_plan` will complain about: then by name


def _whole_lines(path: Path) -> int:
    """How many bytes of the file are whole lines."""
    try:
        return path.read_bytes().rfind(b"\n") + 1
    except FileNotFoundError:
        return 0
