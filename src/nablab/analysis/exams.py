"""What runs were examined on: only runs of the same data and the same test images can be ranked together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nablab.errors import UserError
from nablab.runs.planned import fraction_text
from nablab.runs.record import DataRecord, RunRecord
from nablab.runs.store import RunFolder, find_runs

Found = tuple[RunFolder, RunRecord]

#: Characters of a fingerprint that people are shown, and the fewest that they may give.
_SHOWN, _FEWEST = 8, 4
#: Folders that an error names for each data set.
_NAMED = 3


@dataclass(frozen=True)
class Exam:
    """One data set and one choice of its test images.

    Attributes:
        fingerprint: SHA-256 of the data.
        test_fraction: of the full test set, and `n_test` how many images that is.
        drawn_by: the split seed that chose them; None where they are all that there are.
    """

    fingerprint: str
    test_fraction: float
    n_test: int
    drawn_by: int | None = None

    @property
    def id(self) -> str:
        """What names it in a line: `86ab3c9f`, or `86ab3c9f/0.1/0` for a tenth, drawn by split seed 0."""
        of_it = (
            "" if self.drawn_by is None else f"/{fraction_text(round(self.test_fraction, 6))}/{self.drawn_by}"
        )
        return f"{self.fingerprint[:_SHOWN]}{of_it}"


def exam_of(record: RunRecord) -> Exam:
    """The exam of a run. Which test images it was measured on follows from its record."""
    data = record.data
    drawn_by = None if data.test_fraction == 1 else int(record.recipe.get("split_seed", 0))
    return Exam(data.fingerprint, data.test_fraction, data.n_test, drawn_by)


def find_all(folders: Sequence[Path | str]) -> list[Found]:
    """Every run below the folders, each once, in their order.

    Raises:
        UserError: a folder is not there, or holds no run; a record cannot be read.
    """
    found: dict[Path, Found] = {}
    for folder in folders:
        for run in find_runs(folder):
            found.setdefault(run.path.resolve(), (run, run.record()))
    return list(found.values())


def choose(found: Sequence[Found], wanted: str | None) -> list[Found]:
    """The runs of one exam.

    Args:
        wanted: the name of the data, the beginning of its fingerprint, or the `id` of an exam; None is the
            only one there is.

    Raises:
        UserError: several exams are left, or none; says which runs are on which.
    """
    exams: dict[Exam, list[Found]] = {}
    for run in found:
        exams.setdefault(exam_of(run[1]), []).append(run)
    left = {
        exam: runs
        for exam, runs in exams.items()
        if wanted is None or _is_meant(exam, runs[0][1].data, wanted)
    }
    if whole := [exam for exam in left if exam.id == wanted]:  # others' may begin with all of it
        left = {whole[0]: left[whole[0]]}
    if not left:
        raise UserError(f"no run on {wanted!r} here; there are {_listed(exams)}")
    if len(left) > 1:
        raise UserError(
            f"these runs cannot be ranked together, since they are on different data or test images: "
            f"{_listed(left)}; choose one with --data NAME or FINGERPRINT"
        )
    return next(iter(left.values()))


def _is_meant(exam: Exam, data: DataRecord, wanted: str) -> bool:
    if "/" in wanted:
        return wanted in (exam.id, exam.fingerprint + exam.id[_SHOWN:])
    by_fingerprint = len(wanted) >= _FEWEST and exam.fingerprint.startswith(wanted.lower())
    return wanted == data.name or by_fingerprint


def _listed(exams: Mapping[Exam, Sequence[Found]]) -> str:
    return "; ".join(_described(exam, runs) for exam, runs in exams.items())


def _described(exam: Exam, runs: Sequence[Found]) -> str:
    folders = list(dict.fromkeys(str(folder_of(run)) for run, _ in runs))
    more = f" and {len(folders) - _NAMED} more" if len(folders) > _NAMED else ""
    count = f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
    return (
        f"{runs[0][1].data.name} {exam.id} ({exam.n_test:,} test images, {count} in "
        f"{', '.join(folders[:_NAMED])}{more})"
    )


def folder_of(run: RunFolder) -> Path:
    """The folder of the comparison that a run belongs to, or its own where it stands alone."""
    return run.path.parent.parent if run.path.parent.name == "runs" else run.path
