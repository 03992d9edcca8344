"""One run from its beginning, or its checkpoint, to its end: train, measure, store."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from time import perf_counter

from nablab.errors import CannotWrite
from nablab.models.model import Model
from nablab.runs.checkpoint import Checkpoint, read_checkpoint, remove_checkpoint, write_checkpoint
from nablab.runs.events import RunDone, RunEpoch, RunEvent, RunFailed, RunProgress, RunSkipped, RunStarted
from nablab.runs.failures import describe_failure
from nablab.runs.features import leaks
from nablab.runs.finish import finish_estimator, finish_network
from nablab.runs.interrupts import Interrupt
from nablab.runs.job import Job, ended, first_record, is_mended, model_record
from nablab.runs.leftovers import remove_leftovers
from nablab.runs.record import RunRecord, Totals
from nablab.training.events import EpochDone, Event, Finished, StepDone
from nablab.training.feed import prepare
from nablab.training.state import LoopState
from nablab.training.trainable import Trainable

#: Seconds between two `RunProgress`.
PROGRESS_EVERY = 0.2
#: A checkpoint is written after each epoch, and within one after so many seconds.
CHECKPOINT_EVERY = 60.0
#: But none so soon after another: waiting for the disk would cost short epochs more than a crash.
CHECKPOINT_GAP = 1.0
#: Training images from which estimators that take long are announced.
SLOW_FROM = 5000


def perform(job: Job, interrupt: Interrupt) -> Iterator[RunEvent]:
    """Do one run, and store what becomes of it.

    A run that fails, whatever the reason, is recorded and told as `RunFailed`; only what concerns
    all runs is raised.

    Raises:
        CannotWrite: nothing can be stored any more.
        KeyboardInterrupt: the user asked to stop; recorded, with a checkpoint.
        UserError: another process holds the folder.
    """
    with job.folder.lock():
        if status := ended(job):
            yield RunSkipped(job.run.id, status)
            return
        if is_mended(job):
            remove_checkpoint(job.folder.path)
        remove_leftovers(job.folder.path)
        record = first_record(job)
        job.folder.write_record(record)
        try:
            record = replace(record, model=model_record(job))
            _warm_up(job.model)
            work = _fit if job.model.kind == "estimator" else _train
            totals = yield from work(job, record, interrupt)
        except CannotWrite:
            raise
        except (KeyboardInterrupt, GeneratorExit) as stop:
            failure = describe_failure(stop, job.model)
            job.folder.write_record(replace(record, status="interrupted", failure=failure))
            raise
        except (Exception, SystemExit) as error:  # a user's module is theirs, and the other runs go on
            failure = describe_failure(error, job.model)
            job.folder.write_record(replace(record, status="failed", failure=failure))
            yield RunFailed(job.run.id, failure)
        else:
            yield RunDone(job.run.id, totals)


def _warm_up(model: Model) -> None:
    """Import now what is imported at first use (PyTorch's first optimiser takes seconds): no run's clock may
    count it."""
    if model.estimator is not None:
        model.estimator(0)
    elif model.engine == "numpy":
        import nablab.training.numpy_trainable  # noqa: F401
    else:
        import torch

        torch.optim.SGD([torch.zeros(1, requires_grad=True)])


def _train(job: Job, record: RunRecord, interrupt: Interrupt) -> Generator[RunEvent, None, Totals]:
    """A network: step by step, going on from the checkpoint if there is one."""
    from nablab.training.engines import make_trainable
    from nablab.training.loop import train

    began = perf_counter()
    recipe = job.run.recipe
    start = None if job.start is None else job.start.start
    data = prepare(job.dataset, job.cut, recipe, start.preprocessing if start else None)
    record = replace(record, preprocessing=data.preprocessing.to_dict())
    job.folder.write_record(record)
    net = make_trainable(job.model, data, recipe, start)
    state = _resume(job, net)
    yield RunStarted(job.run.id, job.epochs, from_epoch=state.epoch if state else 0)

    before = perf_counter() - began
    keeper = _Keeper(job, net, interrupt)
    for event in train(net, data, recipe, state):
        yield from keeper.keep(event)
        if isinstance(event, Finished):
            return finish_network(job, record, net, data, event, before)
    raise RuntimeError("the loop ended without saying that it finished")


def _fit(job: Job, record: RunRecord, interrupt: Interrupt) -> Generator[RunEvent, None, Totals]:
    """An estimator: in one go, so nothing is worth waiting for when the user asks to stop."""
    from nablab.training.estimator_fit import fit

    began = perf_counter()
    recipe, features = job.run.recipe, job.model.features
    if features is not None:  # their run's numbers
        recipe = recipe.but(preprocessing="init")
    data = prepare(job.dataset, job.cut, recipe, job.model.preprocessing)
    record = replace(record, preprocessing=data.preprocessing.to_dict())
    job.folder.write_record(record)
    note = job.model.slow if len(data.train) >= SLOW_FROM else ""
    yield RunStarted(job.run.id, epochs=0, note=note)
    interrupt.check()
    with interrupt.immediate():
        fitted = fit(job.model, data, job.run.recipe)
        if features is not None:
            remarks = leaks(features, job.dataset, job.cut)
            fitted = replace(fitted, remarks=(*remarks, *fitted.remarks))
        return finish_estimator(job, record, fitted, data, began)


def _resume(job: Job, net: Trainable) -> LoopState | None:
    """Bring the network and the measurements to where the checkpoint stands; None without one, or without the
    measurements that go with it."""
    checkpoint = read_checkpoint(job.folder.path)
    if checkpoint is None or len(job.folder.metrics()) < checkpoint.loop.epoch:
        job.folder.keep_metrics(0)
        return None
    net.load(checkpoint.net)
    job.folder.keep_metrics(checkpoint.loop.epoch)
    return checkpoint.loop


class _Keeper:
    """Stores a training as it goes, and tells what others want to know of it."""

    def __init__(self, job: Job, net: Trainable, interrupt: Interrupt) -> None:
        self._job = job
        self._net = net
        self._interrupt = interrupt
        self._stored = self._told = perf_counter()

    def keep(self, event: Event) -> Iterator[RunEvent]:
        """Store what this event is worth; tell it at most once.

        Whenever this is left early, by Ctrl-C or by whoever listens, the checkpoint is of this event.
        """
        if isinstance(event, Finished):
            return
        now = perf_counter()
        if isinstance(event, EpochDone):
            self._job.folder.append_metrics(event.metrics)
        if now - self._stored >= (CHECKPOINT_GAP if isinstance(event, EpochDone) else CHECKPOINT_EVERY):
            self._store(event.state)
        try:
            self._interrupt.check()
            if isinstance(event, EpochDone):
                yield RunEpoch(self._job.run.id, event.metrics)
            elif now - self._told >= PROGRESS_EVERY:
                self._told = now
                yield self._progress(event)
        except (KeyboardInterrupt, GeneratorExit):
            self._store(event.state)
            raise

    def _store(self, state: LoopState) -> None:
        self._job.folder.sync_metrics()
        write_checkpoint(self._job.folder.path, Checkpoint(self._net.state(), state))
        self._stored = perf_counter()

    def _progress(self, event: StepDone) -> RunProgress:
        running = event.state.running
        return RunProgress(
            run=self._job.run.id,
            epoch=event.state.epoch,
            step=event.state.step,
            steps=event.steps,
            loss=running.loss,
            accuracy=running.accuracy,
            train_seconds=event.state.train_seconds,
        )
