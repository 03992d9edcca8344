"""Puts all rules to a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from nablab.data.checks.finding import SEVERITIES, Finding, Row
from nablab.data.checks.material import Material
from nablab.data.checks.rules import DATA_RULES, FILE_RULES
from nablab.data.checks.survey import Survey, survey
from nablab.data.checks.twins import SIMILARITY
from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress
from nablab.data.sources.decoding import check_options, fits, read_all
from nablab.data.sources.listing import Listing
from nablab.errors import UserError

#: What pictures of different sizes, or too many large ones, are brought to where no size is asked for.
SIZE = 64


@dataclass(frozen=True, eq=False)
class Examination:
    """What came of examining a data set.

    Attributes:
        dataset: what was examined; None where no picture file can be read.
        findings: the most severe first.
        asked: the names of the rules that applied.
        train_files: (N,) the file of each training row, of data from picture files; else empty.
        test_files: (M,) the same of each test row.
    """

    dataset: Dataset | None
    findings: tuple[Finding, ...]
    asked: tuple[str, ...]
    train_files: tuple[Path, ...] = ()
    test_files: tuple[Path, ...] = ()

    def file_of(self, row: Row) -> Path | None:
        """The picture file that a row was read from; None where it is from none."""
        files = self.train_files if row.part == "train" else self.test_files
        return files[row.index] if files else None


def examine(
    dataset: Dataset, *, similarity: float = SIMILARITY, progress: Progress | None = None
) -> Examination:
    """Put all rules for samples to a data set, which may be memory-mapped: it is read in blocks.

    Args:
        similarity: the correlation from which two images are nearly the same, in (0, 1).
        progress: told what is being done, and how far it is.

    >>> from nablab.data import load
    >>> examine(load("digits")).findings
    ()

    Raises:
        UserError: a similarity outside (0, 1).
    """
    if not 0 < similarity < 1:
        raise UserError(f"similarity {similarity} is outside (0, 1); 0.999 finds what is nearly the same")
    rules = [rule for rule in DATA_RULES.values() if dataset.is_images or not rule.of_images]
    material = Material(dataset, similarity, progress)
    findings = [finding for rule in rules for finding in rule.find(material)]
    return Examination(dataset, by_severity(findings), tuple(rule.name for rule in rules))


def examine_files(
    listing: Listing,
    *,
    size: int | None = None,
    color: str | None = None,
    similarity: float = SIMILARITY,
    progress: Progress | None = None,
) -> Examination:
    """Put all rules to listed picture files: first to the files as they are, then to what is read from them.

    Files that cannot be read are a finding, and the others are examined without them.

    Args:
        size: height and width the pictures are brought to; by default their own, or 64 where they differ or
            would not fit into memory.
        color: `grey` or `rgb`; None is grey where all pictures are.
        similarity: as `examine`.
        progress: as `examine`.

    Raises:
        UserError: an option that does not fit; what is left by broken files is no data set.
    """
    check_options(size, color)
    surveyed = survey(listing, progress)

    def read(surveyed: Survey) -> Dataset:
        chosen = size if size is not None or _can_stay(surveyed) else SIZE
        files, place = surveyed.listing.files, listing.place
        return surveyed.listing.dataset(
            lambda rows: read_all(files, place, size=chosen, color=color, rows=rows, progress=progress)
        )

    surveyed, dataset = _readable(surveyed, read)
    found = tuple(finding for rule in FILE_RULES.values() for finding in rule.find(surveyed))
    if dataset is None:
        return Examination(None, by_severity(found), tuple(FILE_RULES))
    samples = examine(dataset, similarity=similarity, progress=progress)
    train, test = surveyed.listing.parts()
    files = surveyed.listing.files
    return replace(
        samples,
        findings=by_severity((*found, *samples.findings)),
        asked=(*FILE_RULES, *samples.asked),
        train_files=tuple(files[row] for row in train),
        test_files=tuple(files[row] for row in test),
    )


def _can_stay(surveyed: Survey) -> bool:
    """Whether the pictures can be compared in their own size."""
    one = surveyed.headers[0]
    return surveyed.one_size and fits(len(surveyed.headers), one.height, one.width)


def _readable(surveyed: Survey, read: Callable[[Survey], Dataset]) -> tuple[Survey, Dataset | None]:
    """The survey of the files that can be decoded, and the data set they make; None where they make none."""
    if not surveyed.headers:
        return surveyed, None
    if not surveyed.broken:
        surveyed.listing.parts()  # what cannot be split says so before anything is decoded
    try:
        return surveyed, read(surveyed)
    except UserError:
        decoded = surveyed.without_what_cannot_be_decoded()
        if not decoded.broken:
            raise
    try:
        return decoded, read(decoded) if decoded.headers else None
    except UserError:
        return decoded, None


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most severe first, otherwise as they were."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
