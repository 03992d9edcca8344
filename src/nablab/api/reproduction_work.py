"""The work behind `nablab.reproduce`: which figures can be tried here, and the comparisons that try them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from nablab.analysis.published import RECIPES, Figure, Published
from nablab.errors import UserError
from nablab.report.words import count, seconds
from nablab.training.recipe import Recipe, preset

if TYPE_CHECKING:
    from nablab.analysis.reproduction import Reproduced
    from nablab.analysis.results import RunData
    from nablab.data.dataset import Dataset
    from nablab.models.model import Model
    from nablab.runs.planned import DataReference, Plan

#: Of a recipe, what two runs of the same training may differ in.
_INCIDENTAL = ("seed", "device", "precision", "threads", "evaluate_every", "train_sample")

#: Where the comparisons are, below the folder of a reproduction.
COMPARISONS = "comparisons"


@dataclass(frozen=True)
class _Task:
    """One published figure that can be tried here."""

    row: Published
    figure: Figure
    model: Model


@dataclass(frozen=True)
class PlannedFigure:
    """What would be done for one published figure.

    Attributes:
        row, figure: the published figure.
        there: runs of ours that are there already.
        missing: runs that would be trained.
        seconds: that one of them is expected to take; None where none is missing.
        reason: why nothing would be trained; empty where something would, or where all is there.
    """

    row: Published
    figure: Figure
    there: int = 0
    missing: int = 0
    seconds: float | None = None
    reason: str = ""


Said = TypeVar("Said", "Reproduced", PlannedFigure)


@dataclass(frozen=True, eq=False)
class ReproductionWork:
    """What is the same for all rows of a reproduction.

    Attributes:
        folder: of the reproduction; each recipe and fraction has a comparison below it.
        dataset: what all train on, and `reference`, how it is loaded again.
        seeds: runs of each row, from seed 0 on.
        epochs: of every network; None is what the recipes say.
        jobs: runs at a time.
        limit: seconds that one row at one fraction may take, all seeds together; None is no limit.
        progress: show it.
        trained: folders of runs; one that was trained as a row asks is taken, and not trained again.
    """

    folder: Path
    dataset: Dataset
    reference: DataReference
    seeds: int
    epochs: int | None
    jobs: int | Literal["auto"]
    limit: float | None
    progress: bool
    trained: tuple[Path, ...] = ()

    def run(self, chosen: Sequence[tuple[Published, Figure]]) -> Iterator[Reproduced]:
        """Each figure with our runs, or the reason why there are none; in the order given."""
        from nablab.analysis.reproduction import Reproduced

        return self._each(chosen, self._compare, Reproduced)

    def plan(self, chosen: Sequence[tuple[Published, Figure]]) -> Iterator[PlannedFigure]:
        """What `run` would do for each figure; a few steps of every model are timed."""
        return self._each(chosen, self._foresee, PlannedFigure)

    def _each(
        self,
        chosen: Sequence[tuple[Published, Figure]],
        work: Callable[[str, float, Sequence[_Task]], Iterator[Said]],
        refusal: Callable[..., Said],
    ) -> Iterator[Said]:
        """What `work` gives for what can be tried here, one recipe and fraction after the other."""
        groups, reasons = self._groups(chosen)
        found = {key: refusal(*pair, reason=reasons[key]) for key, pair in _by_key(chosen) if key in reasons}
        for (recipe, fraction), tasks in groups.items():
            for one in work(recipe, fraction, tasks):
                found[one.row.name, fraction] = one
        return (found[key] for key, _ in _by_key(chosen))

    def _groups(
        self, chosen: Sequence[tuple[Published, Figure]]
    ) -> tuple[dict[tuple[str, float], list[_Task]], dict[tuple[str, float], str]]:
        """What can be tried here, by recipe and fraction; and by row and fraction why the rest cannot."""
        groups: dict[tuple[str, float], list[_Task]] = {}
        reasons = {}
        for (name, fraction), (row, figure) in _by_key(chosen):
            task, reason = self._task(row, figure)
            if task is None:
                reasons[name, fraction] = reason
            else:
                groups.setdefault((row.recipe, fraction), []).append(task)
        return groups, reasons

    def _task(self, row: Published, figure: Figure) -> tuple[_Task | None, str]:
        from nablab.models.reference import resolve

        if not row.reference:
            return None, row.missing
        here = len(self.dataset.x_train) / self.dataset.train_total
        if figure.fraction > here:
            return None, f"only {100 * here:g} % of the training images are here; {self.dataset.hint}"
        try:
            return _Task(row, figure, replace(resolve(row.reference), label=row.name)), ""
        except UserError as error:
            return None, f"not here yet: {error}"

    def _compare(self, recipe: str, fraction: float, tasks: Sequence[_Task]) -> Iterator[Reproduced]:
        """One comparison: all rows of one recipe at one fraction."""
        from nablab.analysis.reproduction import Reproduced, hold_against
        from nablab.analysis.results import load_results

        out = self._folder(recipe, fraction)
        elsewhere = {task.row.name: self._trained(task, recipe, fraction) for task in tasks}
        missing = [task for task in tasks if not elsewhere[task.row.name]]
        plan = self._planned(out, recipe, fraction)
        late = {}
        if self.limit is not None:
            expected = self._expected(recipe, fraction, [task for task in missing if not _has(plan, task)])
            late = {name: reason for name, each in expected.items() if (reason := self._too_long(each))}
        self._execute(out, recipe, fraction, plan, [task for task in missing if task.row.name not in late])
        results = load_results(out) if (out / "runs").is_dir() else None
        for task in tasks:
            row, figure = task.row, task.figure
            runs = elsewhere[row.name] or (results.done(row.name) if results else ())
            if row.name in late:
                yield Reproduced(row, figure, reason=late[row.name])
            elif runs:
                yield hold_against(row, figure, runs)
            else:
                yield Reproduced(row, figure, reason=_failure(results, row.name))

    def _foresee(self, recipe: str, fraction: float, tasks: Sequence[_Task]) -> Iterator[PlannedFigure]:
        """What `_compare` would do."""
        from nablab.analysis.results import load_results

        out = self._folder(recipe, fraction)
        plan = self._planned(out, recipe, fraction)
        results = load_results(out) if (out / "runs").is_dir() else None
        elsewhere = {task.row.name: len(self._trained(task, recipe, fraction)) for task in tasks}
        missing = [task for task in tasks if not elsewhere[task.row.name]]
        expected = self._expected(recipe, fraction, missing)
        for task in tasks:
            name = task.row.name
            there = elsewhere[name] or (len(results.done(name)) if results else 0)
            each = expected.get(name, ())[there:]
            reason = "" if _has(plan, task) else self._too_long(each)
            if reason or not each:
                yield PlannedFigure(task.row, task.figure, there, reason=reason)
            else:
                yield PlannedFigure(task.row, task.figure, there, len(each), each[0])

    def _folder(self, recipe: str, fraction: float) -> Path:
        return self.folder / COMPARISONS / f"{recipe}-{fraction:g}"

    def _trained(self, task: _Task, recipe: str, fraction: float) -> tuple[RunData, ...]:
        """Runs elsewhere of the same model on the same images by the same recipe; one a seed."""
        from nablab.analysis.results import load_results

        wanted = _comparable(self._recipe(recipe).to_dict())
        found: dict[int, RunData] = {}
        for run in (run for folder in self.trained for run in load_results(folder).runs):
            record = run.record
            same_data = (
                record.data.fingerprint == self.dataset.fingerprint
                and record.data.n_test == len(self.dataset.x_test)
                and math.isclose(run.fraction, fraction)
            )
            same_model = record.model.reference == task.model.reference
            if run.done and same_data and same_model and _comparable(record.recipe) == wanted:
                found.setdefault(run.seed, run)
        return tuple(found.values())

    def _planned(self, out: Path, recipe: str, fraction: float) -> Plan | None:
        """What was planned in this folder before; None where nothing was.

        Raises:
            UserError: it was trained otherwise, and would not belong with what is asked for now.
        """
        from nablab.runs.plan import read_plan

        if not (out / "plan.json").exists():
            return None
        plan = read_plan(out, dataset=self.dataset)
        wanted = self._recipe(recipe).but(
            threads=plan.recipe.threads, device=plan.recipe.device, precision=plan.recipe.precision
        )
        if plan.recipe != wanted or plan.seeds != tuple(range(self.seeds)):
            raise UserError(
                f"{out} was begun with other seeds or another recipe; ask for those, or choose another --out"
            )
        return plan

    def _expected(self, recipe: str, fraction: float, tasks: Sequence[_Task]) -> dict[str, tuple[float, ...]]:
        """Seconds that each run of these is expected to take, by row."""
        if not tasks:
            return {}
        plan = self._plan(self.folder / COMPARISONS / "not-there", recipe, fraction, tasks, calibrate=True)
        return {
            task.row.name: tuple(
                estimate.seconds(plan.epochs(run))
                for run in plan.runs
                if run.label == task.row.name and (estimate := plan.estimate(run))
            )
            for task in tasks
        }

    def _too_long(self, each: Sequence[float]) -> str:
        """Why runs that take so long are left out; empty where they are within the limit."""
        if self.limit is None or sum(each) <= self.limit:
            return ""
        about = f"about {seconds(sum(each))} for {count(len(each), 'run')}"
        return f"{about}, and the limit is {seconds(self.limit)}"

    def _execute(
        self, out: Path, recipe: str, fraction: float, plan: Plan | None, tasks: Sequence[_Task]
    ) -> None:
        from nablab.api.progress import watch
        from nablab.runs.execute import execute
        from nablab.runs.plan import extend_plan

        new = [task for task in tasks if not _has(plan, task)]
        if plan is None:
            if not new:
                return
            plan = self._plan(out, recipe, fraction, new)
        elif new:
            plan = extend_plan(plan, [task.model for task in new])
        try:
            watch(plan, execute(plan, resume=True), show=self.progress)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                "interrupted; what was done is kept, and the same command goes on"
            ) from None

    def _plan(
        self, out: Path, recipe: str, fraction: float, tasks: Sequence[_Task], *, calibrate: bool = False
    ) -> Plan:
        from nablab.runs.plan import make_plan

        return make_plan(
            [task.model for task in tasks],
            self.dataset,
            self._recipe(recipe),
            out=out,
            fractions=[fraction],
            seeds=self.seeds,
            jobs=self.jobs,
            calibrate=calibrate,
            data=self.reference,
        )

    def _recipe(self, name: str) -> Recipe:
        published = RECIPES[name]
        recipe = preset(published.preset).but(**published.changes)
        return recipe if self.epochs is None else recipe.but(epochs=self.epochs)


def _by_key(
    chosen: Sequence[tuple[Published, Figure]],
) -> Iterator[tuple[tuple[str, float], tuple[Published, Figure]]]:
    """With the name of the row and the fraction, which tell one figure from all others."""
    return (((row.name, figure.fraction), (row, figure)) for row, figure in chosen)


def _comparable(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe without what chance, the machine and the looking-on decide."""
    complete = Recipe.from_dict(recipe).to_dict()
    return {name: value for name, value in complete.items() if name not in _INCIDENTAL}


def _has(plan: Plan | None, task: _Task) -> bool:
    return plan is not None and any(model.label == task.row.name for model in plan.models)


def _failure(results: Any, label: str) -> str:
    failures = [run.record.failure for run in results.of(label) if run.record.failure] if results else []
    return f"failed: {failures[0].message}" if failures else "not run"
