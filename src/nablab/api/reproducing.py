"""Published figures, run again here as ordinary comparisons, and held against ours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nablab.analysis.published import BOARDS, Figure, Published
from nablab.api.paths import as_name, as_path
from nablab.api.planning import as_list, read_duration
from nablab.api.sheet import Sheet, as_text
from nablab.errors import UserError, did_you_mean
from nablab.report import words
from nablab.runs.planned import check_fractions

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.analysis.reproduction import Reproduced
    from nablab.api.reproduction_work import PlannedFigure, ReproductionWork


class Reproduction:
    """Published figures beside ours. Shows itself."""

    def __init__(self, folder: Path, data: str, rows: tuple[Reproduced, ...]) -> None:
        self.folder = folder
        self.data = data
        self.rows = rows

    @cached_property
    def sheet(self) -> Sheet:
        """A line a figure: theirs, ours with n and spread, and how they stand to each other."""
        from nablab.report.tables_reproduction import HEADERS, LEFT, conventions, texts

        right = frozenset(HEADERS) - LEFT
        return Sheet(
            HEADERS, tuple(texts(row) for row in self.rows), notes=conventions(self.rows), right=right
        )

    def write(self) -> Path:
        """Write `index.md`, `table.csv` and `records.jsonl` into the folder; returns the page's path.

        Raises:
            NablabError: they cannot be written.
        """
        from nablab.report.tables_reproduction import write_pages

        return write_pages(self.rows, self.data, self.folder)

    def document(self) -> dict[str, Any]:
        """Every figure as plain data, as `--json` prints it."""
        from nablab.report.tables_reproduction import values

        return {"folder": str(self.folder), "figures": [values(row) for row in self.rows]}

    @property
    def failed(self) -> int:
        """Figures whose runs all failed."""
        return sum(row.reason.startswith("failed") for row in self.rows)

    def __rich__(self) -> RenderableType:
        return self.sheet

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return self.sheet._repr_html_()


class PlannedReproduction:
    """What a reproduction would do, and how long it would take. Shows itself."""

    def __init__(self, folder: Path, data: str, rows: tuple[PlannedFigure, ...]) -> None:
        self.folder = folder
        self.data = data
        self.rows = rows

    @property
    def seconds(self) -> float:
        """Expected time of all that is missing, one run after the other."""
        return sum(row.missing * (row.seconds or 0.0) for row in self.rows)

    @cached_property
    def sheet(self) -> Sheet:
        """A line a figure: theirs, our model, runs that are there and missing, and what one takes."""
        headings = ("row", "model", "data", "theirs", "done", "to do", "time a run", "remark")
        lines = tuple(
            (
                one.row.name,
                one.row.reference or words.NOTHING,
                words.share(one.figure.fraction),
                words.percent(one.figure.accuracy, one.figure.digits - 2),
                str(one.there) if one.there else words.NOTHING,
                str(one.missing) if one.missing else words.NOTHING,
                words.seconds(one.seconds),
                one.reason or ("our guess of the model" if one.row.guess else ""),
            )
            for one in self.rows
        )
        runs = words.count(sum(one.missing for one in self.rows), "run")
        time = f"about {words.seconds(self.seconds)} one after the other"
        note = f"{runs} to do: {time}; results would go to {self.folder}"
        return Sheet(headings, lines, notes=(note,), right=frozenset(headings[2:-1]))

    def document(self) -> dict[str, Any]:
        """Every figure as plain data, as `--dry-run --json` prints it; times in seconds."""
        return {
            "folder": str(self.folder),
            "seconds": self.seconds,
            "figures": [
                {
                    "row": one.row.name,
                    "reference": one.row.reference,
                    "source": one.row.source,
                    "fraction": one.figure.fraction,
                    "published": one.figure.accuracy,
                    "done": one.there,
                    "missing": one.missing,
                    "seconds": one.seconds,
                    "reason": one.reason,
                }
                for one in self.rows
            ],
        }

    def __rich__(self) -> RenderableType:
        return self.sheet

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return self.sheet._repr_html_()


def reproduce(
    data: str = "fashion-mnist",
    *,
    rows: Sequence[str] = (),
    fractions: Sequence[float] | None = None,
    seeds: int = 3,
    epochs: int | None = None,
    time_limit: str | float | None = None,
    jobs: int | Literal["auto"] = 1,
    trained: Sequence[str | Path] = (),
    out: str | Path | None = None,
    progress: bool = True,
) -> Reproduction:
    """Train what others published figures of, and hold theirs against ours.

    What was trained before in the same folder stays; so an interrupted call goes on, and one with more rows,
    or a longer limit, adds to it.

    Args:
        data: whose published figures; `fashion-mnist`.
        rows: which; by default all. `nablab.analysis.published` lists them.
        fractions: of the training images; by default those that figures were published for.
        seeds: runs of each, from seed 0 on.
        epochs: of every network, in place of what its recipe says.
        time_limit: what one row at one fraction may take, all seeds together, e.g. `"45m"`; a few steps of
            each are timed, and what would take longer is left out, with that as the reason.
        jobs: runs at a time; 1 gives times that can be compared.
        trained: folders of results; a model that was trained there as a row asks, on the same images by the
            same recipe, is taken with all its seeds and not trained again.
        out: folder; by default `runs/reproduce-<data>`.
        progress: show it.

    Raises:
        UserError: unknown data, rows or fractions; a folder that holds the same rows trained otherwise.
    """
    chosen = choose_rows(data, rows, fractions)
    work = _work(data, seeds, epochs, time_limit, jobs, trained, out, progress)
    done = Reproduction(work.folder, data, tuple(work.run(chosen)))
    done.write()
    return done


def plan_reproduction(
    data: str = "fashion-mnist",
    *,
    rows: Sequence[str] = (),
    fractions: Sequence[float] | None = None,
    seeds: int = 3,
    epochs: int | None = None,
    time_limit: str | float | None = None,
    jobs: int | Literal["auto"] = 1,
    trained: Sequence[str | Path] = (),
    out: str | Path | None = None,
) -> PlannedReproduction:
    """What `reproduce` would do with the same arguments, and how long it would take.

    A few steps of every model are run to measure that; nothing is written.

    Raises:
        UserError: as `reproduce`.
    """
    chosen = choose_rows(data, rows, fractions)
    work = _work(data, seeds, epochs, time_limit, jobs, trained, out, progress=False)
    return PlannedReproduction(work.folder, data, tuple(work.plan(chosen)))


def _work(
    data: str,
    seeds: int,
    epochs: int | None,
    time_limit: str | float | None,
    jobs: int | Literal["auto"],
    trained: Sequence[str | Path],
    out: str | Path | None,
    progress: bool,
) -> ReproductionWork:
    from nablab.api.reproduction_work import ReproductionWork
    from nablab.api.sources import load, reference_of

    if isinstance(seeds, bool) or not isinstance(seeds, Integral) or seeds < 1:
        raise UserError(f"seeds must be how many, a whole number from 1, not {seeds!r:.80}")
    dataset = load(data)
    return ReproductionWork(
        folder=Path("runs") / f"reproduce-{data}" if out is None else as_path(out, "out, a folder,"),
        dataset=dataset,
        reference=reference_of(dataset),
        seeds=int(seeds),
        epochs=epochs,
        jobs=jobs,
        limit=None if time_limit is None else read_duration(time_limit),
        progress=progress,
        trained=tuple(as_path(folder, "a folder of results") for folder in as_list(trained)),
    )


def choose_rows(
    data: str, rows: Sequence[str], fractions: Sequence[float] | None
) -> list[tuple[Published, Figure]]:
    """The published figures that were asked for.

    Raises:
        UserError: no such data or row, or nothing published at these fractions.
    """
    if as_name(data, "the name of a data set") not in BOARDS:
        raise UserError(f"nothing published on {data!r} is known{did_you_mean(data, BOARDS)}")
    rows = [as_name(row, "the name of a published row") for row in as_list(rows)]
    fractions = None if fractions is None else check_fractions(as_list(fractions))
    known = {row.name: row for row in BOARDS[data]}
    for name in rows:
        if name not in known:
            raise UserError(f"no published row {name!r}{did_you_mean(name, known)}")
    chosen = [
        (row, figure)
        for row in known.values()
        if not rows or row.name in rows
        for figure in row.figures
        if fractions is None or figure.fraction in fractions
    ]
    if not chosen:
        there = sorted({f"{figure.fraction:g}" for row in known.values() for figure in row.figures})
        raise UserError(
            f"nothing was published for these rows at these fractions; there are {', '.join(there)}"
        )
    return chosen
