"""A leader board in rows and words: what terminal, tables, HTML and pictures of it draw alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nablab.analysis.board import COSTS, Board, Entry
from nablab.analysis.comparison import ALPHA, Verdict
from nablab.report.view_types import PointView
from nablab.report.words import count, listed, number, plus_minus, share

#: How headings call what accuracy is weighed against.
COST_NAMES: Mapping[str, str] = {
    "train_seconds": "training time",
    "parameters": "parameters",
    "predict_seconds_1": "prediction time of one image alone",
    "predict_seconds_256": "prediction time of one image of 256",
}


@dataclass(frozen=True)
class BoardRow:
    """One method. Accuracies in [0, 1], times in seconds; means over its `n` runs."""

    label: str
    detail: str
    kind: str
    fraction: float  #: of the full training set
    n: int
    seeded: bool  #: False: the seed changes nothing, one run is all there is
    rank: int | None
    accuracy: float
    accuracy_sd: float | None  #: over seeds (n - 1)
    accuracy_low: float
    accuracy_high: float
    accuracies: tuple[float, ...]
    verdict: Verdict | None  #: held against the leader; None: it leads, or its answers are not stored
    difference: float  #: of accuracy, to the leader's
    p: float | None  #: Holm's, of that verdict
    reason: str  #: why it is undecided
    leads: bool
    parameters: int | None
    macs: int | None
    train_seconds: float | None
    predict_seconds_1: float | None
    predict_seconds_256: float | None
    size_bytes: int | None
    timed_alike: bool  #: whether its times may be held against those of most others
    fronts: tuple[str, ...]  #: the costs on whose Pareto front it is
    folders: tuple[str, ...]  #: that its runs are in

    @property
    def is_timed(self) -> bool:
        return self.train_seconds is not None


@dataclass(frozen=True)
class BoardView:
    """A leader board, ready to be drawn."""

    title: str
    headline: str
    notes: tuple[str, ...]
    name: str  #: of the data
    exam: str  #: the fingerprint's beginning, and which test images
    fingerprint: str
    n_test: int
    clock: str  #: how the times that are compared were taken
    rows: tuple[BoardRow, ...]  #: the highest mean first
    points: Mapping[str, tuple[PointView, ...]]  #: by cost: what may be compared
    fronts: Mapping[str, tuple[str, ...]]  #: by cost: labels, cheapest first


def board_view(board: Board) -> BoardView:
    """The view of a leader board."""
    rows = tuple(_row(board, entry) for entry in board.entries)
    data = board.data
    counts = (count(len(rows), "method"), count(sum(row.n for row in rows), "run"))
    return BoardView(
        title=f"{data.name}: {', '.join(counts)}, {number(data.n_test)} test images",
        headline=_headline(rows),
        notes=_notes(board, rows),
        name=data.name,
        exam=board.exam.id,
        fingerprint=board.exam.fingerprint,
        n_test=data.n_test,
        clock=str(board.common_clock),
        rows=rows,
        points={cost: _points(board, rows, cost) for cost in COSTS},
        fronts=board.fronts,
    )


def _row(board: Board, entry: Entry) -> BoardRow:
    leads = entry is board.leader
    pair = None if leads else board.against_leader(entry)
    return BoardRow(
        label=entry.label,
        detail=entry.record.model.detail,
        kind=entry.record.model.kind,
        fraction=entry.record.data.fraction,
        n=len(entry.runs),
        seeded=entry.seeded,
        rank=board.ranks[entry.label],
        accuracy=entry.accuracy,
        accuracy_sd=entry.deviation,
        accuracy_low=min(entry.accuracies),
        accuracy_high=max(entry.accuracies),
        accuracies=entry.accuracies,
        verdict=pair.verdict if pair else None,
        difference=entry.accuracy - board.leader.accuracy,
        p=pair.p_adjusted if pair else None,
        reason=pair.reason if pair else "" if leads else "the answers to the test images are not stored",
        leads=leads,
        parameters=_whole(entry.parameters),
        macs=_whole(entry.macs),
        train_seconds=entry.train_seconds,
        predict_seconds_1=entry.predict_seconds_1,
        predict_seconds_256=entry.predict_seconds_256,
        size_bytes=_whole(entry.size_bytes),
        timed_alike=board.is_timed_alike(entry),
        fronts=tuple(cost for cost, labels in board.fronts.items() if entry.label in labels),
        folders=tuple(str(folder) for folder in entry.folders),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _points(board: Board, rows: Sequence[BoardRow], cost: str) -> tuple[PointView, ...]:
    costs = board.points(cost)
    return tuple(
        PointView(
            row.label,
            row.fraction,
            costs[row.label][0],
            row.accuracy,
            row.accuracy_low,
            row.accuracy_high,
            row.n,
        )
        for row in rows
        if row.label in costs
    )


def _headline(rows: Sequence[BoardRow]) -> str:
    leader = next(row for row in rows if row.leads)
    chance = f"mean of {leader.n} seeds" if leader.n > 1 else "one run"
    result = f"{plus_minus(leader.accuracy, leader.accuracy_sd)} of the test images right ({chance})"
    sentences = [f"{leader.label} {'leads' if leader.rank == 1 else 'is ahead'}: {result}."]
    ties = [row.label for row in rows if row.verdict == "tie"]
    worse = sum(row.verdict == "worse" for row in rows)
    undecided = [row for row in rows if not row.leads and row.verdict in (None, "undecided")]
    if ties:
        sentences.append(f"{listed(ties)} cannot be told from it.")
    if worse:
        sentences.append(f"It is better than {'all' if worse == len(rows) - 1 else worse} of the others.")
    if undecided:
        sentences.append(f"{listed([row.label for row in undecided])}: undecided, since {_why(undecided)}.")
    return " ".join(sentences)


def _why(undecided: Sequence[BoardRow]) -> str:
    """What stands against a verdict on these."""
    reasons = sorted({row.reason for row in undecided})
    if any(reason.startswith("one seed") for reason in reasons):
        return "one seed says nothing about chance"
    return listed(reasons)


def _notes(board: Board, rows: Sequence[BoardRow]) -> tuple[str, ...]:
    """What a reader must know before believing it."""
    found = [
        _note_fractions(rows),
        _note_lone(rows),
        _note_clocks(board, rows),
        f"{count(board.unfinished, 'run')} failed or did not end, and do not count."
        if board.unfinished
        else "",
        f"{count(board.repeated, 'run')} repeat a seed that is there already, and do not count."
        if board.repeated
        else "",
        _note_statistics(board),
    ]
    return tuple(note for note in found if note)


def _note_fractions(rows: Sequence[BoardRow]) -> str:
    fractions = sorted({row.fraction for row in rows})
    if len(fractions) < 2:
        return f"All were trained on {share(fractions[0])} of the training images."
    return f"Not all saw the same training images: shares of {listed([share(one) for one in fractions])}."


def _note_lone(rows: Sequence[BoardRow]) -> str:
    lone = [row.label for row in rows if row.n == 1 and row.seeded]
    return f"One seed only, so chance is not measured: {listed(lone)}." if lone else ""


def _note_clocks(board: Board, rows: Sequence[BoardRow]) -> str:
    apart = [row.label for row in rows if row.is_timed and not row.timed_alike]
    if not apart:
        return f"Times were all taken alike: {board.common_clock}."
    return (
        f"Times are compared only where they were taken alike ({board.common_clock}). Those of "
        f"{listed(apart)} were not: they are on no front of times."
    )


def _note_statistics(board: Board) -> str:
    decided = sum(pair.p is not None for pair in board.pairs)
    if not decided:
        return ""
    return (
        f"Methods share a rank where their difference is not significant: level {share(ALPHA)} over "
        f"{count(decided, 'pair')} (Holm), with seeds and test images as chance. Fronts go by the means."
    )
