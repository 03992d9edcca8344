"""What a notebook prints about a comparison, as Markdown. The cells of a delivery call these."""

from __future__ import annotations

from nablab.report.notebook_drawing import drawn_by
from nablab.report.tables import markdown_table, markdown_text
from nablab.report.view_types import CellView, ComparisonView, SectionView
from nablab.report.words import NOTHING, bytes_, count, interval, number, percent, plus_minus, seconds, share


def answer(view: ComparisonView) -> str:
    """Which model to use, in bold."""
    return f"**{markdown_text(view.headline)}**"


def data(view: ComparisonView) -> str:
    """The images: where they come from, how many, which classes."""
    it = view.data
    rows = [
        ("data", it.name),
        ("source", it.source),
        ("shape of one", " x ".join(map(str, it.input_shape))),
        ("classes", ", ".join(it.classes)),
        ("training images there are", number(it.train_total)),
        ("test images measured on", number(it.n_test)),
        ("fingerprint (SHA-256)", it.fingerprint[:16]),
    ]
    return markdown_table(("", "value"), rows, left=(True, True))


def facts(view: ComparisonView) -> str:
    """What was trained how often, and what to know before believing it."""
    return "\n".join(f"- {markdown_text(note)}" for note in view.notes)


def recipe(view: ComparisonView) -> str:
    """How the networks were trained: every setting, and the preset's where it is another."""
    parts = []
    for one in view.recipes:
        changed = {difference.name: difference.preset for difference in one.differences}
        rows = [
            (name, _setting(value), _setting(changed[name]) if name in changed else "")
            for name, value in one.values.items()
            if name not in ("seed", "threads")
        ]
        headers = ("setting", "value", f"preset {one.preset}")
        title = f"Recipe of {', '.join(one.labels)}" if len(view.recipes) > 1 else "Recipe"
        parts.append(f"**{markdown_text(title)}**\n\n{markdown_table(headers, rows, (True, True, True))}")
    return "\n\n".join(parts)


def costs(view: ComparisonView) -> str:
    """Parameters, MACs and FLOPs of one image, and times at the largest fraction, every number in full."""
    rows = []
    for row in view.rows:
        cell = row.main
        apart = "" if cell is None or not cell.n or cell.clock == 0 else " (timed otherwise)"
        rows.append(
            (
                row.label,
                number(row.parameters),
                number(row.macs),
                number(row.flops),
                bytes_(row.size_bytes),
                seconds(cell.train_seconds if cell else None) + apart,
                seconds(cell.wall_seconds if cell else None) + apart,
                seconds(cell.predict_seconds_1 if cell else None) + apart,
                seconds(cell.predict_seconds_256 if cell else None) + apart,
            )
        )
    headers = ("model", "parameters", "MACs", "FLOPs", "stored", "training", "wall", "1 image", "1 of 256")
    counted = [f"{row.label}: {row.counted}" for row in view.rows if row.counted]
    notes = [f"- {markdown_text(line)}" for line in (*view.conventions, *counted)]
    return "\n".join([markdown_table(headers, rows), "", *notes])


def accuracies(view: ComparisonView, fraction: float) -> str:
    """Every model at one fraction: accuracy over seeds, rank, times."""
    position = view.fractions.index(fraction)
    cells = [(row.label, cell) for row in view.rows if (cell := row.cells[position]) is not None]
    cells.sort(key=lambda pair: -(pair[1].accuracy or 0.0))
    headers = (
        "model",
        "rank",
        "test accuracy",
        "lowest",
        "highest",
        "seeds",
        "test loss",
        "training",
        "wall",
    )
    table = markdown_table(headers, [_accuracy_row(label, cell) for label, cell in cells])
    images = max((cell.n_train for _, cell in cells), default=0)
    return f"**{share(fraction)} of the training images ({number(images)} trained on)**\n\n{table}"


def _accuracy_row(label: str, cell: CellView) -> tuple[str, ...]:
    seeds = number(cell.n) + (f", {cell.failed} failed" if cell.failed else "")
    return (
        label,
        NOTHING if cell.rank is None else str(cell.rank),
        plus_minus(cell.accuracy, cell.accuracy_sd),
        percent(cell.accuracy_low),
        percent(cell.accuracy_high),
        seeds if cell.seeded else "the seed changes nothing",
        NOTHING if cell.loss is None else f"{cell.loss:.4f}",
        seconds(cell.train_seconds),
        seconds(cell.wall_seconds),
    )


def verdicts(view: ComparisonView, fraction: float) -> str:
    """Every two models: the difference in points, its interval, the verdict."""
    rows = [
        (
            f"{pair.a} against {pair.b}",
            pair.verdict,
            f"{100 * pair.difference:+.2f}",
            NOTHING if pair.low is None or pair.high is None else interval(pair.low, pair.high),
            pair.reason if pair.p_adjusted is None else f"{pair.p_adjusted:.2g}",
        )
        for pair in view.pairs[fraction]
    ]
    return markdown_table(("pair", "verdict", "difference (points)", "interval", "p (Holm)"), rows)


def by_class(view: ComparisonView, section: SectionView) -> str:
    """Precision, recall and F1 of each class, and what is taken for what."""
    if section.confusion is None:
        return "No run finished."
    rows = [
        (one.name, percent(one.precision), percent(one.recall), percent(one.f1), number(one.support))
        for one in section.confusion.classes
    ]
    table = markdown_table(("class", "precision", "recall", "F1", "test images"), rows)
    names = view.data.classes
    confused = [
        f"- {markdown_text(names[pair.truth])} taken for {markdown_text(names[pair.prediction])}: "
        f"{count(pair.count, 'time')} ({percent(pair.share)})"
        for pair in section.confusion.confused[:3]
    ]
    return "\n".join([table, "", *confused])


def environment(view: ComparisonView) -> str:
    """The machine and the versions that the numbers come from; and those here, that draw the pictures."""
    tables = [markdown_table(("", "value"), one.values, (True, True)) for one in view.environments]
    commands = ["\n".join(["```", *view.repeat.commands, "```"])] if view.repeat.commands else []
    return "\n\n".join([*tables, drawn_by(), *commands])


def training_time(view: ComparisonView) -> str:
    """What all of it took."""
    cells = [cell for row in view.rows for cell in row.cells if cell is not None and cell.n]
    total = sum((cell.wall_seconds or 0.0) * cell.n for cell in cells)
    runs = sum(cell.n for cell in cells)
    return f"{count(runs, 'run')} in {seconds(total)} of computing."


def _setting(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value) if value != "" else NOTHING
