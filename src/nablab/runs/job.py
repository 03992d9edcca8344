"""One run with everything it needs in this process, and the record that it begins with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from nablab.data.dataset import Dataset
from nablab.data.split import Split, split
from nablab.models.model import Model
from nablab.runs.describe import describe_model
from nablab.runs.environment import describe_environment
from nablab.runs.planned import DataReference, Plan, PlannedRun
from nablab.runs.record import DataRecord, Environment, ModelRecord, RunRecord
from nablab.runs.start import KeptStart
from nablab.runs.store import RunFolder
from nablab.training.recipe import Recipe
from nablab.training.tuning import tuning_of


@dataclass(frozen=True, eq=False)
class Job:
    """A planned run, its model and its data.

    Attributes:
        folder: where it is stored.
        test_fraction: of the test set.
        jobs: runs that compute at the same time, this one included.
        start: what it starts from, where that is not chance.
    """

    folder: RunFolder
    run: PlannedRun
    model: Model
    dataset: Dataset
    data: DataReference
    test_fraction: float = 1.0
    jobs: int = 1
    start: KeptStart | None = None

    @property
    def epochs(self) -> int:
        """Epochs that it does at most; 0 for estimators."""
        return 0 if self.model.kind == "estimator" else self.run.recipe.epochs

    @cached_property
    def cut(self) -> Split:
        """The rows that train, validate and test."""
        recipe = self.run.recipe
        return split(
            self.dataset,
            fraction=self.run.fraction,
            validation=recipe.validation,
            split_seed=recipe.split_seed,
            test_fraction=self.test_fraction,
        )


def job_of(plan: Plan, run: PlannedRun) -> Job:
    """What `plan` says of one of its runs."""
    return Job(
        folder=plan.folder(run),
        run=run,
        model=plan.model(run.label),
        dataset=plan.dataset,
        data=plan.data,
        test_fraction=plan.test_fraction,
        jobs=plan.jobs,
        start=plan.starts.get(run.label),
    )


def ended(job: Job) -> Literal["done", "failed"] | None:
    """How the run ended before, None if it still is to be done.

    A run that failed is tried again, but for one that diverged: unless its file was changed since, the same
    numbers would diverge again.
    """
    if not job.folder.exists:
        return None
    record = job.folder.record()
    if record.status == "done":
        return "done"
    diverged = record.failure is not None and record.failure.kind == "diverged"
    return "failed" if record.status == "failed" and diverged and not is_mended(job) else None


def is_mended(job: Job) -> bool:
    """Whether the run was begun with another version of the user's file, whose numbers are not its own."""
    if not job.folder.exists:
        return False
    before, now = job.folder.record().model.source_file, job.model.source_file
    return (before.sha256 if before else None) != (now.sha256 if now else None)


def first_record(job: Job) -> RunRecord:
    """What is known of a run before it begins, or goes on."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return RunRecord(
        id=job.run.id,
        status="running",
        created=job.folder.record().created if job.folder.exists else now,
        model=_bare_model(job.model),
        data=_data(job),
        recipe=job.run.recipe.to_dict(),
        environment=_environment(job),
        start=None if job.start is None else job.start.record,
    )


def model_record(job: Job) -> ModelRecord:
    """The model with its layers and costs; a user's module may fail here."""
    described = describe_model(job.model, job.dataset.input_shape, len(job.dataset.classes))
    recipe = job.run.recipe
    if not recipe.freeze:
        return described
    new_head = job.start is not None and bool(job.start.record.new)
    parts = tuning_of(recipe, described.layers, new_head=new_head, model=described.label)
    frozen = [row for row in described.layers if row.parameters and parts.freeze(row.path)]
    return replace(
        described,
        trained=(described.parameters or 0) - sum(row.parameters for row in frozen),
        frozen=tuple(row.path for row in frozen),
    )


def _bare_model(model: Model) -> ModelRecord:
    return ModelRecord(
        label=model.label,
        reference=model.reference,
        kind=model.kind,
        detail=model.detail,
        score_kind=model.score_kind,
        source_file=model.source_file,
        seeded=model.seeded,
        engine=model.engine,
    )


def _data(job: Job) -> DataRecord:
    dataset, cut = job.dataset, job.cut
    options: dict[str, Any] = {k: v for k, v in job.data.options.items() if v is not None}
    return DataRecord(
        name=dataset.name,
        source=dataset.source,
        fingerprint=dataset.fingerprint,
        classes=dataset.classes,
        input_shape=dataset.input_shape,
        fraction=job.run.fraction,
        test_fraction=job.test_fraction,
        n_train=len(cut.train),
        n_validation=len(cut.validation),
        n_test=len(cut.test),
        train_total=dataset.train_total,
        options=options,
        reference=job.data.reference,
        value_range=dataset.value_range,
    )


def _environment(job: Job) -> Environment:
    recipe = job.run.recipe
    return describe_environment(recipe.threads, job.jobs, _device(job.model, recipe))


def _device(model: Model, recipe: Recipe) -> str:
    if model.kind == "estimator" or model.engine == "numpy":
        return "cpu"
    from nablab.training import device

    return device.describe(device.choose(recipe.device))
