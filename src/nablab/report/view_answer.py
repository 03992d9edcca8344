"""The answer in a sentence, computed from the verdicts, and what to know before believing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nablab.analysis.comparison import ALPHA, Pair
from nablab.analysis.cost import clock, number_clocks
from nablab.analysis.results import Results
from nablab.report.view_context import has_live_data, is_live, without_folder
from nablab.report.view_types import CellView, RecipeView, RowView
from nablab.report.words import count, listed, number, percent, plus_minus, share, times
from nablab.runs.record import shortened

Pairs = Mapping[float, tuple[Pair, ...]]

#: How much smaller or faster a model must be for the sentence to speak of it.
_WORTH_SAYING = 1.2


def headline(table: Sequence[RowView], fractions: Sequence[float], pairs: Pairs) -> str:
    """Which model to use at the largest fraction that has results, and what that rests on."""
    for position in reversed(range(len(fractions))):
        here = {row.label: (row, row.cells[position]) for row in table}
        done = {label: (row, cell) for label, (row, cell) in here.items() if cell is not None and cell.n}
        if done:
            ordered = dict(sorted(done.items(), key=lambda item: -(item[1][1].accuracy or 0.0)))
            return _answer(ordered, pairs[fractions[position]])
    return "No run finished."


def _answer(done: Mapping[str, tuple[RowView, CellView]], pairs: Sequence[Pair]) -> str:
    first = next(iter(done))
    if len(done) == 1:
        return f"{first} gets {_result(done[first][1])}. There is no other model to hold it against."
    if all(pair.verdict == "undecided" for pair in pairs):
        level = [label for label, (_, cell) in done.items() if cell.accuracy == done[first][1].accuracy]
        return _undecided(level, done[first][1], pairs)
    best = next(label for label, (_, cell) in done.items() if cell.rank == 1)
    sentences = [f"Use {best}: it gets {_result(done[best][1])}."]
    by_other = {pair.b if pair.a == best else pair.a: pair for pair in pairs if best in (pair.a, pair.b)}
    level = [label for label in done if label != best and by_other[label].verdict == "tie"]
    ties = [label for label in level if done[label][1].rank == 1]
    unsure = [label for label in level if label not in ties]
    beaten = [label for label in done if label != best and _beats(best, by_other[label])]
    open_ = [label for label in done if label != best and by_other[label].verdict == "undecided"]
    if ties:
        sentences.append(_ties(best, ties, done))
    if beaten:
        sentences.append(_beaten(beaten, len(done)))
    if unsure:
        sentences.append(f"Its lead over {listed(unsure)} is not certain: more seeds would tell.")
    if open_:
        sentences.append(f"{listed(open_)} cannot be placed: {by_other[open_[0]].reason}.")
    return " ".join(sentences)


def _beats(best: str, pair: Pair) -> bool:
    return (pair if pair.a == best else pair.turned()).verdict == "better"


def _result(cell: CellView) -> str:
    runs = (
        f"mean of {cell.n} seeds"
        if cell.n > 1
        else ("one seed" if cell.seeded else "the seed changes nothing")
    )
    return (
        f"{plus_minus(cell.accuracy, cell.accuracy_sd)} of the test images right ({runs}), "
        f"trained on {_of_images(cell.fraction)}"
    )


def _of_images(fraction: float) -> str:
    return "all training images" if fraction == 1 else f"{share(fraction)} of the training images"


def _undecided(first: Sequence[str], cell: CellView, pairs: Sequence[Pair]) -> str:
    reasons = {pair.reason for pair in pairs}
    if any(reason.startswith("one seed") for reason in reasons):
        why = "one seed says nothing about chance. Run it again with --seeds 3"
    else:
        why = f"the models were {listed(sorted(reasons))}"
    ahead = f"{first[0]} is ahead" if len(first) == 1 else f"{listed(first)} are level"
    return f"Undecided: {ahead} with {_result(cell)}, but {why}."


def _ties(best: str, ties: Sequence[str], done: Mapping[str, tuple[RowView, CellView]]) -> str:
    advantages = {label: _advantage(done[best], done[label]) for label in ties}
    cheapest = max(ties, key=lambda label: max((ratio for ratio, _ in advantages[label]), default=0.0))
    if not advantages[cheapest]:
        return f"It ties with {listed(ties)}."
    words = " and ".join(text for _, text in advantages[cheapest])
    named = f"It ties with {cheapest} ({percent(done[cheapest][1].accuracy)}), which {words}"
    rest = [label for label in ties if label != cheapest]
    return f"{named}; also with {listed(rest)}." if rest else f"{named}."


def _advantage(best: tuple[RowView, CellView], other: tuple[RowView, CellView]) -> list[tuple[float, str]]:
    """How much smaller and faster to train the other is, as ratios and words."""
    found = []
    if best[0].parameters and other[0].parameters:
        found.append((best[0].parameters / other[0].parameters, "is {} times smaller"))
    a, b = best[1], other[1]
    if a.clock is not None and a.clock == b.clock and a.train_seconds and b.train_seconds:
        found.append((a.train_seconds / b.train_seconds, "trains {} times faster"))
    return [(ratio, text.format(times(ratio))) for ratio, text in found if ratio >= _WORTH_SAYING]


def _beaten(beaten: Sequence[str], models: int) -> str:
    if len(beaten) == models - 1:
        return f"It is better than {'the other' if models == 2 else 'all the others'}."
    if len(beaten) > 3:
        return f"It is better than the other {len(beaten)}."
    return f"It is better than {listed(beaten)}."


def notes(
    results: Results, table: Sequence[RowView], pairs: Pairs, recipes: Sequence[RecipeView]
) -> tuple[str, ...]:
    """What a reader must know: how much data, how many epochs and seeds, what failed, how it was judged."""
    found = [
        _note_data(results),
        _note_epochs(table),
        _note_seeds(table),
        _note_unfinished(results),
        _note_clocks(results, table),
        _note_recipes(recipes),
        *_notes_starts(results),
        _note_live(results),
        _note_statistics(results, pairs),
    ]
    return tuple(note for note in found if note)


def _note_data(results: Results) -> str:
    data = max((run.record.data for run in results.runs), key=lambda data: data.fraction)
    held_out = f", and {number(data.n_validation)} held out for validation" if data.n_validation else ""
    return (
        f"Largest training set: {number(data.n_train)} images{held_out} "
        f"({share(data.fraction)} of the {number(data.train_total)} there are). "
        f"Test set: {number(data.n_test)} images."
    )


def _note_epochs(table: Sequence[RowView]) -> str:
    epochs = [cell.epochs for row in table for cell in row.cells if cell and cell.epochs is not None]
    if not epochs:
        return ""
    low, high = min(epochs), max(epochs)
    return f"Epochs: {low:g}." if low == high else f"Epochs: {low:g} to {high:g} (mean over seeds)."


def _note_seeds(table: Sequence[RowView]) -> str:
    lone = [row.label for row in table if any(cell and cell.n == 1 and cell.seeded for cell in row.cells)]
    return f"One seed only, so chance is not measured: {listed(lone)}." if lone else ""


def _note_unfinished(results: Results) -> str:
    missing = [run for run in results.runs if not run.done]
    if not missing:
        return ""
    named = listed(sorted({f"{run.label} at {share(run.fraction)}" for run in missing}))
    return (
        f"{len(missing)} of {count(len(results.runs), 'run')} did not finish ({named}); "
        "means are over those that did."
    )


def _note_clocks(results: Results, table: Sequence[RowView]) -> str:
    numbers = number_clocks(clock(run.record.environment) for run in results.runs if run.done)
    if len(numbers) < 2:
        return ""
    common = next(iter(numbers))
    apart = [row.label for row in table if any(cell and cell.n and cell.clock != 0 for cell in row.cells)]
    others = listed([str(one) for one in numbers if one != common])
    return (
        f"Times are compared only where they were taken alike ({common}). "
        f"Those of {listed(apart)} were not ({others})."
    )


def _note_recipes(recipes: Sequence[RecipeView]) -> str:
    if len(recipes) < 2:
        return ""
    return f"The models were trained by {len(recipes)} different recipes."


def _notes_starts(results: Results) -> list[str]:
    """For each model that did not start from chance, or was trained in part, what it began with."""
    found = []
    for label in results.labels:
        record = results.of(label)[-1].record
        model, start = record.model, record.start
        begun = []
        if start is not None:
            begun.append(f"starts from {replace(start, path=without_folder(start.path)).summary}")
        if model.trained is not None:
            trained = f"trains {number(model.trained)} of its {number(model.parameters)} parameters"
            begun.append(f"{trained} (frozen: {shortened(model.frozen)})")
        if begun:
            found.append(f"{label} {'; it '.join(begun)}.")
    return found


def _note_live(results: Results) -> str:
    if has_live_data(results):
        return "The data was made in a Python session: only there can this be repeated."
    live = [label for label in results.labels if is_live(results.of(label)[0].record.model)]
    if not live:
        return ""
    they = "it" if len(live) == 1 else "they"
    return f"{listed(live)} came from a Python session: only there can {they} be trained again."


def _note_statistics(results: Results, pairs: Pairs) -> str:
    decided = max(sum(pair.p is not None for pair in family) for family in pairs.values())
    if not decided:
        return ""
    fixed = "" if results.resampled else ", for these training images"
    return (
        "Models share a rank where their difference is not significant: level "
        f"{share(ALPHA)} over {count(decided, 'pair')} (Holm), with seeds and test images as chance{fixed}."
        f"{_lead_that_counts(pairs)}"
    )


def _lead_that_counts(pairs: Pairs) -> str:
    """How large a difference had to be at the largest fraction: few seeds see large ones only."""
    fraction = max(
        fraction for fraction, family in pairs.items() if any(pair.p is not None for pair in family)
    )
    leads = sorted(
        50 * (pair.high - pair.low)
        for pair in pairs[fraction]
        if pair.high is not None and pair.low is not None
    )
    if not leads:
        return ""
    least, most = ("more than 100" if lead > 100 else f"{lead:.1f}" for lead in (leads[0], leads[-1]))
    needed = least if least == most else f"{least} to {most}"
    by_pair = "" if least == most else ", by pair"
    lead = f" At {share(fraction)} that took a lead of {needed} points{by_pair}"
    return f"{lead}; more seeds or test images need less."
