"""What the template of the HTML report draws: the view's values with figures, ids and words beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from nablab.analysis.comparison import Pair
from nablab.report.graph import model_svg
from nablab.report.html_matrix import Matrix, make_matrix
from nablab.report.html_pictures import EmbeddedPicture, embed
from nablab.report.plots import all_curves_figure, curves_figure, scatter_figure
from nablab.report.plots_svg import themed_svg
from nablab.report.plots_theme import model_places
from nablab.report.view_types import (
    CellView,
    ComparisonView,
    DecidedView,
    PointView,
    RowView,
    SectionView,
)
from nablab.report.words import count, interval, number, percent, plus_minus, seconds, share


@dataclass(frozen=True)
class Fact:
    """A number at the top and what it is."""

    value: str
    what: str


@dataclass(frozen=True)
class Dot:
    """One seed's accuracy on the common scale of the table: where, in per cent of its width."""

    place: float
    accuracy: float


@dataclass(frozen=True)
class TableRow:
    """A model in the comparison table."""

    view: RowView
    section: str  #: id of its section
    stroke: int  #: number of its colour in all figures, from 1
    ranks: tuple[str, ...]  #: one a fraction: `1`, `2=` where it is shared, or empty
    dots: tuple[Dot, ...]  #: its seeds at the largest fraction
    best: bool  #: nothing is better at the largest fraction


@dataclass(frozen=True)
class VerdictCell:
    """What is known of a row's model held against a column's."""

    text: str
    verdict: str  #: `better`, `worse`, `tie`, `undecided`; empty on the diagonal
    hint: str


@dataclass(frozen=True)
class VerdictTable:
    """Every two models at one fraction."""

    fraction: float
    labels: tuple[str, ...]
    rows: tuple[tuple[VerdictCell, ...], ...]


@dataclass(frozen=True)
class CurvePlots:
    """One model's curves at one fraction, as SVG."""

    fraction: float
    runs: int
    loss: str
    accuracy: str


@dataclass(frozen=True)
class Decided:
    """A test image beside the training images that decided."""

    right: bool
    picture: EmbeddedPicture
    what: str  #: `7 taken for 1`, or the class that was recognised
    neighbours: tuple[tuple[EmbeddedPicture, str, str, bool], ...]  #: picture, class, distance, votes for it


@dataclass(frozen=True)
class Section:
    """A model's section."""

    id: str
    view: SectionView
    row: TableRow
    curves: tuple[CurvePlots, ...]  #: largest fraction first
    matrix: Matrix | None
    graph: str  #: SVG; empty for estimators
    decided: tuple[Decided, ...]  #: of methods that ask neighbours


@dataclass(frozen=True)
class Page:
    """Everything that is not in the view itself."""

    answer: str  #: the first sentence of the headline
    why: str  #: the other ones
    facts: tuple[Fact, ...]
    table: tuple[TableRow, ...]
    scale: tuple[str, str]  #: what the ends of the dots' scale stand for
    curves: tuple[tuple[str, str], ...]  #: (what, SVG): all models in one plot
    trade_offs: tuple[tuple[str, str], ...]
    verdicts: tuple[VerdictTable, ...]  #: largest fraction first
    sections: tuple[Section, ...]
    pictures: Mapping[int, EmbeddedPicture]  #: by test index


def make_page(view: ComparisonView) -> Page:
    """Draws every figure of the view and words what the template cannot."""
    table, scale = _table(view)
    answer, stop, why = view.headline.partition(". ")
    return Page(
        answer=answer + stop.strip(),
        why=why,
        facts=_facts(view),
        table=table,
        scale=scale,
        curves=_all_curves(view),
        trade_offs=_trade_offs(view),
        verdicts=tuple(_verdicts(view, fraction) for fraction in reversed(view.fractions)),
        sections=tuple(
            _section(one, row, view.data.classes) for one, row in zip(view.sections, table, strict=True)
        ),
        pictures={index: embed(index, picture) for index, picture in view.images.items()},
    )


def _facts(view: ComparisonView) -> tuple[Fact, ...]:
    cells = [cell for row in view.rows for cell in row.cells if cell is not None]
    finished, failed = sum(cell.n for cell in cells), sum(cell.failed for cell in cells)
    trained = sum(cell.n * (cell.train_seconds or 0) for cell in cells)
    largest = max(cell.n_train for cell in cells)
    facts = []
    if (best := view.rows[0].main) is not None and best.n:
        facts.append(
            Fact(plus_minus(best.accuracy, best.accuracy_sd), f"{view.rows[0].label}, the highest mean")
        )
    facts += [
        Fact(
            count(len(view.rows), "model"),
            f"at {', '.join(map(share, view.fractions))} of the training images",
        ),
        Fact(count(finished, "run"), f"finished, {failed} failed" if failed else "finished, none failed"),
        Fact(number(largest), f"training images at most, {number(view.data.n_test)} test images"),
        Fact(seconds(trained), "of training in all"),
    ]
    return tuple(facts)


def _table(view: ComparisonView) -> tuple[tuple[TableRow, ...], tuple[str, str]]:
    mains = [cell for row in view.rows if (cell := row.main) is not None and cell.n]
    low = min((cell.accuracy_low or 0.0 for cell in mains), default=0.0)
    high = max((cell.accuracy_high or 0.0 for cell in mains), default=1.0)
    span = max(high - low, 0.01)
    low = min(low, 1.0 - span)  # no accuracy is above 100 %
    shared = [
        Counter(cell.rank for row in view.rows if (cell := row.cells[i])) for i in range(len(view.fractions))
    ]
    places = model_places(view)
    table = tuple(
        TableRow(
            view=row,
            section=f"model-{position}",
            stroke=places[row.label] % 8 + 1,
            ranks=tuple(_rank(cell, ties) for cell, ties in zip(row.cells, shared, strict=True)),
            dots=_dots(row.main, low, span),
            best=row.cells[-1] is not None and row.cells[-1].rank == 1,
        )
        for position, row in enumerate(view.rows, start=1)
    )
    return table, (percent(low), percent(low + span))


def _rank(cell: CellView | None, ties: Counter[int | None]) -> str:
    if cell is None or cell.rank is None:
        return ""
    return f"{cell.rank}=" if ties[cell.rank] > 1 else str(cell.rank)


def _dots(cell: CellView | None, low: float, span: float) -> tuple[Dot, ...]:
    return tuple(Dot(100 * (a - low) / span, a) for a in (cell.accuracies if cell else ()))


def _all_curves(view: ComparisonView) -> tuple[tuple[str, str], ...]:
    """Test curves; for runs that measured none before their end, validation curves."""
    for series in ("test", "validation", "train"):
        if any(series in curves.accuracy for curves in view.curves):
            break
    else:
        return ()
    found = []
    for quantity in ("accuracy", "loss"):
        what = f"{series} {quantity} of every model by epoch"
        figure = all_curves_figure(view, series, quantity)
        found.append((what, themed_svg(figure, f"all-{quantity}", what)))
    return tuple(found)


def _trade_offs(view: ComparisonView) -> tuple[tuple[str, str], ...]:
    found = []
    plans: tuple[tuple[str, tuple[PointView, ...], bool], ...] = (
        ("training time of a run", view.time_points, True),
        ("parameters", view.parameter_points, False),
    )
    for what, points, is_time in plans:
        if points:
            figure = scatter_figure(view, points, what, seconds=is_time)
            title = f"test accuracy against {what}"
            found.append((title, themed_svg(figure, "time" if is_time else "size", title)))
    return tuple(found)


def _verdicts(view: ComparisonView, fraction: float) -> VerdictTable:
    position = view.fractions.index(fraction)
    done = [row for row in view.rows if (cell := row.cells[position]) is not None and cell.n]
    labels = tuple(row.label for row in done)
    rows = tuple(tuple(_verdict(view.pair(fraction, a, b)) for b in labels) for a in labels)
    return VerdictTable(fraction, labels, rows)


_SIGNS = {"better": "▲", "worse": "▼", "tie": "=", "undecided": "?"}


def _verdict(pair: Pair | None) -> VerdictCell:
    if pair is None:
        return VerdictCell("", "", "")
    points = 100 * pair.difference
    text = f"{_SIGNS[pair.verdict]} {points:+.1f}".replace("-", "\N{MINUS SIGN}")
    said = {"better": "is better than", "worse": "is worse than", "tie": "ties with"}
    hint = f"{pair.a} {said.get(pair.verdict, 'against')} {pair.b}: {points:+.2f} points"
    if pair.low is not None and pair.high is not None:
        hint += f" ({interval(pair.low, pair.high)}), p = {pair.p_adjusted:.2g} (Holm)"
    if pair.reason:
        hint += f"; undecided: {pair.reason}"
    return VerdictCell(text, pair.verdict, hint)


def _decided(one: DecidedView, classes: tuple[str, ...]) -> Decided:
    truth, said = classes[one.truth], classes[one.prediction]
    return Decided(
        right=one.truth == one.prediction,
        picture=embed(one.index, one.picture),
        what=f"{said}, recognised" if one.truth == one.prediction else f"{truth}, taken for {said}",
        neighbours=tuple(
            (
                embed(near.index, near.picture),
                classes[near.label],
                f"{near.distance:.3g}",
                near.label == one.prediction,
            )
            for near in one.neighbours
        ),
    )


def _section(view: SectionView, row: TableRow, classes: tuple[str, ...]) -> Section:
    plots = []
    for curves in reversed(view.curves):
        at = f"{view.label} at {share(curves.fraction)}"
        loss, accuracy = (
            themed_svg(
                curves_figure(curves, [quantity]),
                f"{row.section}-{curves.fraction:g}-{quantity}".replace(".", "_"),
                f"{quantity} of {at} of the training images by epoch",
            )
            for quantity in ("loss", "accuracy")
        )
        plots.append(CurvePlots(curves.fraction, curves.runs, loss, accuracy))
    return Section(
        id=row.section,
        view=view,
        row=row,
        curves=tuple(plots),
        matrix=make_matrix(view.confusion) if view.confusion else None,
        graph=model_svg(view.layers, view.graph, f"the network {view.label}"),
        decided=tuple(_decided(one, classes) for one in view.deciding),
    )
