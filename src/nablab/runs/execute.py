"""Doing what a plan says: every run that has not ended, here or in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator

from nablab.data import augment
from nablab.runs.checkpoint import remove_checkpoint
from nablab.runs.events import (
    RunDone,
    RunEpoch,
    RunEvent,
    RunFailed,
    RunProgress,
    RunSkipped,
    RunStarted,
)
from nablab.runs.experiment import EXPERIMENT
from nablab.runs.interrupts import deferred_interrupts
from nablab.runs.job import ended, job_of
from nablab.runs.leftovers import remove_links
from nablab.runs.lock import locked
from nablab.runs.perform import perform
from nablab.runs.plan_file import check_current, check_unused, write_plan
from nablab.runs.planned import Plan, PlannedRun
from nablab.runs.store import PLAN
from nablab.runs.threads import computing_with

__all__ = [
    "RunDone",
    "RunEpoch",
    "RunEvent",
    "RunFailed",
    "RunProgress",
    "RunSkipped",
    "RunStarted",
    "execute",
]


def execute(plan: Plan, *, resume: bool = False) -> Iterator[RunEvent]:
    """Do the runs of a plan; whoever iterates is told what happens.

    Args:
        resume: the folder may already hold runs of this plan; those that ended stay, broken ones go on
            from their checkpoints. `read_plan` and `extend_plan` make such plans.

    Yields:
        for each run `RunSkipped`, or `RunStarted`, its `RunProgress` and `RunEpoch`, and `RunDone` or
        `RunFailed`. With several jobs, those of different runs alternate.

    Raises:
        UserError: the folder isn't empty and `resume` wasn't asked, or another process works in it, or did
            since the plan was read.
        CannotWrite: the disk is full or read-only; what was stored before is intact.
        KeyboardInterrupt: the user stopped; what ran is recorded as interrupted, with a checkpoint.
    """
    if not resume:
        check_unused(plan.out)
    with locked(plan.out):
        if resume:
            check_current(plan)
        remove_links(plan.out, (PLAN, EXPERIMENT))
        write_plan(plan)
        waiting = []
        for run in plan.runs:
            if status := ended(job_of(plan, run)):
                remove_checkpoint(plan.folder(run).path)  # a kill may have come before that
                yield RunSkipped(run.id, status)
            else:
                waiting.append(run)
        if plan.jobs > 1 and waiting:
            from nablab.runs.workers import execute_in_workers

            yield from execute_in_workers(plan, waiting)
        else:
            yield from _execute_here(plan, waiting)


def _execute_here(plan: Plan, waiting: list[PlannedRun]) -> Iterator[RunEvent]:
    augmentation = augment.parse(plan.recipe.augmentation, plan.dataset.input_shape)
    with computing_with(plan.recipe.threads, plan.models, augmentation), deferred_interrupts() as interrupt:
        for run in waiting:
            yield from perform(job_of(plan, run), interrupt)
            interrupt.check()
