"""Checking deliveries: notebooks held against the run records they read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nablab.api.paths import as_path
from nablab.api.sheet import Sheet, as_text
from nablab.atomic import write_text
from nablab.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.data.dataset import Dataset
    from nablab.grading.delivery import Options
    from nablab.grading.verdict import Mark, Verdict

#: Folders below the given one that notebooks are looked for in.
_DEEPEST = 4

#: The exit code of what was interrupted, as shells have it.
_INTERRUPTED = 130


class Verification:
    """What checking one delivery, or a folder of them, came to. Shows itself.

    Attributes:
        verdicts: one a delivery.
        title: the rubric's.
        interrupted: where Ctrl-C left deliveries unchecked, how many of how many were; else empty.
    """

    def __init__(
        self, verdicts: Sequence[Verdict], title: str, *, single: bool, interrupted: str = ""
    ) -> None:
        self.verdicts = tuple(verdicts)
        self.title = title
        self.interrupted = interrupted
        self._single = single

    @property
    def exit_code(self) -> int:
        """0: everything is right; 1: something was found; 2: nothing could be used; 130: interrupted."""
        if self.interrupted:
            return _INTERRUPTED
        codes = [verdict.exit_code for verdict in self.verdicts]
        return 2 if set(codes) == {2} else int(any(codes))

    @cached_property
    def sheet(self) -> Sheet:
        """A line a delivery; of a single one, a line a criterion."""
        from nablab.grading.tables import rows

        if self._single:
            return _of_one(self.verdicts[0])
        headings, lines = rows(self.verdicts)
        notes = (self.interrupted,) if self.interrupted else ()
        return Sheet(headings, lines, title=self.title, notes=notes)

    def document(self) -> dict[str, Any]:
        """Everything as plain data, as `--json` prints it."""
        document: dict[str, Any] = {"deliveries": [verdict.document() for verdict in self.verdicts]}
        return document | ({"interrupted": self.interrupted} if self.interrupted else {})

    def csv(self, path: str | Path) -> Path:
        """Write one row a delivery as comma-separated values; returns the path."""
        from nablab.grading.tables import to_csv

        write_text(path, to_csv(self.verdicts))
        return Path(path)

    def html(self, path: str | Path) -> Path:
        """Write table, findings and reasons as one HTML file that needs no network; returns the path."""
        from nablab.grading.tables import write_html

        title = f"{self.title} ({self.interrupted})" if self.interrupted else self.title
        write_html(self.verdicts, title, path)
        return Path(path)

    def __rich__(self) -> RenderableType:
        return self.sheet

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return self.sheet._repr_html_()


def verify(
    delivery: str | Path,
    *,
    rubric: str | Path | None = None,
    runs: str | Path | None = None,
    data: str | Path | Dataset | None = None,
    sample: int | None = None,
    pictures: bool = True,
    retrain: bool = False,
    run_code: bool = False,
    time_limit: str | float = "10m",
    memory_limit: float = 8.0,
    progress: bool = True,
) -> Verification:
    """Check a delivery, or a folder of them: its order, pieces, numbers, pictures and records; and mark it.

    Nothing of a delivery is run unless `run_code` says so. The scores and weights that its run records hold
    are read, the weights are asked about the test images again, and every number is held against that.

    Ctrl-C in a folder ends the checking; the verdicts until then come back, and `interrupted` says how many.

    Args:
        delivery: a notebook, or a folder that is searched for notebooks.
        rubric: a TOML file; by default the course's division, 5 for trainings, 2 for curves and matrices, 3
            for costs and graphs.
        runs: the folder of the records, where the notebook's own name for it does not lead there.
        data: the images, where they are no known source.
        sample: test images that each run's weights are asked about at most; by default all.
        pictures: draw matrices and curves again, and compare them; half of the time that checking takes.
        retrain: train again by the records' recipes, and test whether the accuracies agree.
        run_code: load users' own modules, too: their files are run, in processes of their own with limits.
        time_limit: for what one run of a user's file may take; and for all of `retrain`.
        memory_limit: of such a process, in GiB.
        progress: show it.

    Raises:
        UserError: no such file or folder, no notebook in it, a rubric or data that cannot be used.
        KeyboardInterrupt: the user stopped before the first delivery was checked.
    """
    from nablab.grading.delivery import check_delivery

    path = as_path(delivery, "a notebook, or a folder of deliveries,")
    found = find_deliveries(path)
    if runs is not None and len(found) > 1:
        raise UserError(f"--runs is for one delivery, and {path} holds {len(found)}")
    options = replace(
        _options(rubric, runs, data, sample, retrain, run_code, time_limit, memory_limit), pictures=pictures
    )
    verdicts: list[Verdict] = []
    interrupted = ""
    from nablab.api.progress import tell
    from nablab.grading.verdict import Verdict, plain

    try:
        for number, (notebook, name) in enumerate(found, start=1):
            if progress and len(found) > 1:
                tell(f"{number} of {len(found)}: {plain(name)}")
            verdicts.append(check_delivery(notebook, options, name))
    except KeyboardInterrupt:
        if not verdicts:
            raise
        interrupted = f"interrupted: {len(verdicts)} of {len(found)} deliveries were checked"
    why = f"no notebook (.ipynb) in it, down to {_DEEPEST - 1} folders"
    verdicts += [Verdict(plain(name), error=why) for name in _without_notebook(path, found)]
    verdicts.sort(key=lambda verdict: verdict.delivery.split("/")[0])
    return Verification(verdicts, options.rubric.title, single=path.is_file(), interrupted=interrupted)


def _without_notebook(path: Path, found: Sequence[tuple[Path, str]]) -> list[str]:
    """Folders of a class that hold no notebook. A class has one in two folders at least, and none beside."""
    there = {name.partition("/")[0] for _, name in found if "/" in name}
    if len(there) < 2 or any("/" not in name for _, name in found):
        return []
    return [
        folder.name
        for folder in sorted(path.iterdir())
        if folder.is_dir() and not folder.name.startswith((".", "__")) and folder.name not in there
    ]


def find_deliveries(path: Path) -> list[tuple[Path, str]]:
    """The notebooks that a path means, with their names in tables; hidden folders and links are left out.

    Raises:
        UserError: there is none.
    """
    if path.is_file():
        return [(path, path.name)]
    if not path.is_dir():
        raise UserError(f"no file or folder {path}; give a notebook, or a folder of deliveries")
    found = []
    for notebook in sorted(path.rglob("*.ipynb")):
        below = notebook.relative_to(path)
        hidden = any(part.startswith(".") for part in below.parts)
        linked = any((path / Path(*below.parts[: n + 1])).is_symlink() for n in range(len(below.parts)))
        if not hidden and not linked and notebook.is_file() and len(below.parts) <= _DEEPEST:
            found.append((notebook, below.as_posix()))
    if not found:
        raise UserError(f"{path} holds no notebook (.ipynb)")
    return found


def _options(
    rubric: str | Path | None,
    runs: str | Path | None,
    data: str | Path | Dataset | None,
    sample: int | None,
    retrain: bool,
    run_code: bool,
    time_limit: str | float,
    memory_limit: float,
) -> Options:
    from nablab.api.planning import read_duration
    from nablab.grading.delivery import Options
    from nablab.grading.images import load_given
    from nablab.grading.marking import CRITERIA
    from nablab.grading.rescoring import scorer_of
    from nablab.grading.retraining import Retraining
    from nablab.grading.rubric import default_rubric, read_rubric
    from nablab.grading.sandbox import Limits, Sandbox

    if sample is not None and not (isinstance(sample, Integral) and sample >= 1):
        raise UserError(f"a sample of {sample!r:.80} test images is none; give a whole number from 1")
    if not (isinstance(memory_limit, Real) and 0 < memory_limit < math.inf):
        raise UserError(f"a memory limit of {memory_limit!r:.80} GiB is none; give at least 4")
    folder = None if runs is None else as_path(runs, "runs, the folder of the records,")
    if folder is not None and not folder.is_dir():
        raise UserError(f"no folder {folder}; --runs is where the run records are")
    seconds = read_duration(time_limit)
    sandbox = Sandbox(Limits(seconds, int(memory_limit * 2**30)))
    return Options(
        rubric=default_rubric(CRITERIA)
        if rubric is None
        else read_rubric(as_path(rubric, "rubric, a TOML file,"), CRITERIA),
        runs=folder,
        data=load_given(data),
        sample=sample,
        scorer=sandbox.scorer if run_code else scorer_of,
        retrain=Retraining(seconds) if retrain else None,
    )


def _of_one(verdict: Verdict) -> Sheet:
    """One delivery: a line a criterion under each part, then what was found, and what is left."""
    if verdict.error:
        return Sheet(("", verdict.delivery), (("unusable", verdict.error),))
    lines = [line for mark in verdict.marks for line in _of_mark(mark)]
    lines.append(("points", f"{verdict.points:.2f} of {verdict.of:g}", ""))
    found = [f"✗ {finding.subject}: {finding}" for finding in verdict.findings]
    facts = ", ".join(f"{count:,} {name}" for name, count in verdict.facts.items())
    return Sheet(
        ("", verdict.delivery, "why"),
        tuple(lines),
        notes=(*(found or ["everything that was checked is right"]), "", facts, *verdict.notes),
    )


def _of_mark(mark: Mark) -> list[tuple[str, str, str]]:
    lines = [(mark.part, f"{mark.points:.2f} of {mark.of:g}", "")]
    for reason in mark.reasons:
        name = f"  {reason.criterion.replace('_', ' ')}"
        lines.append((name, f"{100 * reason.share:.0f} %", "; ".join(reason.evidence)))
    return lines
