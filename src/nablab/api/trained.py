"""One trained run: its record, curves and weights, and what it says about new pictures."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nablab.api.sheet import Sheet, as_text
from nablab.errors import RunFailed
from nablab.report import words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import RenderableType

    from nablab.api.prediction import Predictions
    from nablab.runs.record import RunRecord
    from nablab.training.signals import EpochMetrics


class TrainedRun:
    """A run in a folder. Shows itself in a terminal and in a notebook."""

    def __init__(self, folder: str | Path) -> None:
        from nablab.runs.store import RunFolder

        self.folder = Path(folder)
        self._store = RunFolder(folder)

    @cached_property
    def record(self) -> RunRecord:
        """Everything that is known of the run: model, data, recipe, environment, totals.

        Raises:
            UserError: there is no run in the folder, or its record cannot be read.
        """
        return self._store.record()

    @cached_property
    def metrics(self) -> tuple[EpochMetrics, ...]:
        """What each epoch was measured at; empty for estimators."""
        return tuple(self._store.metrics())

    @property
    def test_accuracy(self) -> float | None:
        """In [0, 1]; None when the run did not finish."""
        return None if self.record.totals is None else self.record.totals.test_accuracy

    def weights(self) -> dict[str, NDArray[np.generic]]:
        """The kept weights by the names of the module's `state_dict`.

        Raises:
            UserError: it has none: an estimator, or not finished.
        """
        return self._store.weights()

    def predict(self, *pictures: str | Path, model: Any = None) -> Predictions:
        """What the model says about pictures, or folders of them. See `nablab.predict`."""
        from nablab.api.prediction import predict

        return predict(self.folder, *pictures, model=model)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the HTML report of this run; returns its path (by default `report.html` in its folder)."""
        from nablab.api.comparison import Comparison

        return Comparison(self.folder).report(path)

    def check(self) -> None:
        """Raise what the run failed with, if it failed.

        Raises:
            RunFailed: it did.
        """
        failure = self.record.failure
        if failure is not None:
            raise RunFailed(f"{self.record.id}: {failure.message}", step=failure.step, epoch=failure.epoch)

    def document(self) -> dict[str, Any]:
        """The record as plain data, as `--json` prints it."""
        import json

        document: dict[str, Any] = json.loads(self.record.to_json())
        return {"folder": str(self.folder)} | document

    def sheet(self) -> Sheet:
        """The run in rows: what was trained on what, and what came of it."""
        rows = [*self._what(), *self._came_of_it(), ("folder", str(self.folder))]
        return Sheet(("", self.record.id), tuple((name, text) for name, text in rows if text))

    def _what(self) -> list[tuple[str, str]]:
        model, data, recipe = self.record.model, self.record.data, self.record.recipe
        rows = [
            ("status", self.record.status),
            ("model", model.detail if model.detail != model.label else model.label),
            ("starts from", "" if self.record.start is None else self.record.start.summary),
            ("parameters", self._parameters()),
            ("MACs an image", "" if model.macs is None else words.number(model.macs)),
            ("data", f"{data.name}: {data.n_train:,} training images ({words.share(data.fraction)}), "
                     f"{data.n_validation:,} for validation, {data.n_test:,} test images"),
        ]  # fmt: skip
        if model.kind != "estimator":
            rows.append(
                (
                    "recipe",
                    f"{words.count(recipe['epochs'], 'epoch')}, batch {recipe['batch_size']}, "
                    f"{recipe['optimizer']}, lr {recipe['lr']:g}, {recipe['schedule']}, "
                    f"seed {recipe['seed']}",
                )
            )
        return rows

    def _parameters(self) -> str:
        """How many, and how many of them were trained."""
        from nablab.runs.record import shortened

        model = self.record.model
        if model.parameters is None:
            return ""
        every = words.number(model.parameters)
        if model.trained is None:
            return every
        trained = words.number(model.trained)
        return f"{every}, of which {trained} are trained; frozen: {shortened(model.frozen)}"

    def _came_of_it(self) -> list[tuple[str, str]]:
        if self.record.failure is not None:
            return [("failure", self.record.failure.message)]
        totals = self.record.totals
        if totals is None:
            return []
        losses = "" if totals.test_loss is None else f", loss {totals.test_loss:.3f}"
        rows = [("test", f"accuracy {words.percent(totals.test_accuracy)}{losses}")]
        for name, accuracy in (
            ("validation", totals.validation_accuracy),
            ("training", totals.train_accuracy),
        ):
            if accuracy is not None:
                rows.append((name, f"accuracy {words.percent(accuracy)}"))
        if totals.kept_epoch is not None:
            rows.append(("weights kept", f"{totals.kept}, of epoch {totals.kept_epoch}"))
        whole = words.seconds(totals.wall_seconds)
        rows.append(("time", f"training {words.seconds(totals.train_seconds)}, in all {whole}"))
        if totals.predict_seconds_1 is not None:
            rows.append(("prediction", f"{words.seconds(totals.predict_seconds_1)} an image, one at a time"))
        return rows

    def __rich__(self) -> RenderableType:
        return self.sheet()

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return self.sheet()._repr_html_()
