"""Published figures, run again here as ordinary comparisons, and held against ours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nablab.analysis.published import BOARDS, Figure, Published
from nablab.api.planning import read_duration
from nablab.api.sheet import Sheet, as_text
from nablab.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.analysis.reproduction import Reproduced


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
    from nablab.api.reproduction_work import ReproductionWork
    from nablab.api.sources import load, reference_of

    chosen = choose_rows(data, rows, fractions)
    folder = Path("runs") / f"reproduce-{data}" if out is None else Path(out)
    dataset = load(data)
    work = ReproductionWork(
        folder, dataset, reference_of(dataset), seeds, epochs, jobs,
        None if time_limit is None else read_duration(time_limit), progress, tuple(map(Path, trained)),
    )  # fmt: skip
    done = Reproduction(folder, data, tuple(work.run(chosen)))
    done.write()
    return done


def choose_rows(
    data: str, rows: Sequence[str], fractions: Sequence[float] | None
) -> list[tuple[Published, Figure]]:
    """The published figures that were asked for.

    Raises:
        UserError: no such data or row, or nothing published at these fractions.
    """
    if data not in BOARDS:
        raise UserError(f"nothing published on {data!r} is known{did_you_mean(data, BOARDS)}")
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
