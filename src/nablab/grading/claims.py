"""Numbers that a delivery's own tables claim: a row names a model, a column says of what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nablab.grading.notebook import Cell
from nablab.grading.outline import Names, Place
from nablab.grading.shown import Compared
from nablab.grading.texts import Quantity, Table, html_tables, markdown_tables, quantities
from nablab.grading.truths import TIMES, Truths
from nablab.grading.verdict import Finding, plain
from nablab.report.words import bytes_, number, percent, seconds

#: What a column's heading means; the first that is found counts.
_COLUMNS = (
    (r"\bmacs?\b|multiply", "MACs"),
    (r"flops?\b", "FLOPs"),
    (r"param", "parameters"),
    (r"\btrain\w*[ _-]*acc", "train accuracy"),
    (r"\bval\w*[ _-]*acc", "validation accuracy"),
    (r"\btrain\w*[ _-]*loss", "train loss"),
    (r"\bval\w*[ _-]*loss", "validation loss"),
    (r"loss", "test loss"),
    (r"acc(ura|\b|\.)|\btest score", "accuracy"),
    (r"^(lowest|min(imum)?\.?)$", "lowest"),
    (r"^(highest|max(imum)?\.?)$", "highest"),
    (r"\bepochs\b", "epochs"),
    (r"\btime\b|\bseconds\b|elapsed|\bfit\b|^training$|^wall$|predict|1 image|1 of 256", "time"),
    (r"^stored$|\bsize\b|\bdisk\b", "stored"),
)

#: Columns and tables of what others published, and of what no record has.
_ELSEWHERE = re.compile(
    r"hand-?out|publish|paper|literature|reported|expected|target|chance|baseline|differen|delta|δ|gain|change|"
    r"improve|\bdrop|\bper\b(?!\s*cent)|\bepoch\b|max\w*\W+epochs|total (?!param|mac|flop)|all seeds|"
    r"top-?\d|balanced|cross|function",
    re.IGNORECASE,
)
#: A row of a model that was changed is not that model's.
_CHANGED = re.compile(r"\+|\b(with|without|no|plus|minus|vs|against)\b|augment|dropout|train", re.IGNORECASE)

#: `params (k)`, `time [min]`, `MACs in millions`.
_UNIT = re.compile(r"[(\[]\s*([^)\]]*?)\s*[)\]]\s*$|\bin\s+([^\s]+)\s*$")

_COUNTS = ("parameters", "MACs", "FLOPs")
_SHARES = (
    "accuracy",
    "some accuracy",
    "train accuracy",
    "validation accuracy",
    "lowest",
    "highest",
    "by class",
)


def check_tables(place: Place, truths: Truths, names: Names) -> Compared:
    """Hold the tables of a cell, its own and those that it put out, against the redone runs."""
    findings: list[Finding] = []
    numbers = 0
    for table in _tables(place.cell):
        for claim in _claims(table, truths, names):
            numbers += 1
            if claim.wrong(truths):
                findings.append(Finding("number", place.cell.where, claim.message(truths)))
        for right, line in _layers(table, place, truths):
            numbers += 1
            if not right:
                findings.append(Finding("number", place.cell.where, line))
    return Compared(numbers, tuple(findings))


def _tables(cell: Cell) -> Iterator[Table]:
    if cell.kind != "code":
        yield from markdown_tables(cell.source)
        yield from html_tables(cell.source)
    for output in cell.outputs:
        yield from markdown_tables(output.texts.get("text/markdown", ""))
        yield from html_tables(output.texts.get("text/html", ""))
        if not {"text/markdown", "text/html"} & set(output.texts):
            yield from markdown_tables(output.texts.get("text/plain", ""))


@dataclass(frozen=True)
class Claim:
    """That a quantity of one of some models is such a number."""

    models: tuple[str, ...]
    quantity: str
    said: Quantity
    fraction: float | None = None  #: of the training images; None: any
    bound: str = ""  #: `above` or `below`, where the number is a limit

    def truths(self, truths: Truths) -> list[float]:
        """What may rightly be claimed."""
        if self.quantity == "difference":
            return truths.differences(self.models)
        found = []
        for model in self.models:
            if self.quantity == "time":
                for time in TIMES:
                    found += truths.values(model, time, self.fraction)
            elif self.quantity == "error":
                found += [1 - value for value in truths.values(model, "accuracy", self.fraction)]
            else:
                found += truths.values(model, self.quantity, self.fraction)
        return found

    def wrong(self, truths: Truths) -> bool:
        """Whether no way of rounding what was recomputed gives what is said. Unknown is not wrong."""
        known = self.truths(truths)
        return bool(known) and not any(
            self._holds(said, truth) for truth in known for said in self._readings()
        )

    def message(self, truths: Truths) -> str:
        """What is claimed, and what was recomputed: the values nearest to it."""
        shown = sorted(set(self.truths(truths)), key=lambda truth: abs(truth - self._readings()[-1].value))
        values = ", ".join(dict.fromkeys(_text(self.quantity, value) for value in shown[:4]))
        at = "" if self.fraction is None else f" at {100 * self.fraction:g} %"
        whose = " or ".join(plain(model, 60) for model in self.models)
        return (
            f"{whose}{at}: {self.quantity.removeprefix('some ')} "
            f"{self.bound and f'{self.bound} '}{plain(self.said.text, 40)}; recomputed {values}"
        )

    def _holds(self, said: Quantity, truth: float) -> bool:
        if self.bound == "above":
            return truth >= said.value - said.half
        if self.bound == "below":
            return truth <= said.value + said.half
        return said.means(truth)

    def _readings(self) -> list[Quantity]:
        """The number as it stands; a share without a sign also as per cent."""
        said = self.said
        if self.quantity in _COUNTS and re.fullmatch(r"\d{1,3}(\.\d{3})+", said.text):
            return [said, replace(said, value=float(said.text.replace(".", "")), half=0.5)]  # `7.510`
        if self.quantity == "time" and re.match(r"\d{1,3},\d{3}(?!,)", said.text):
            return [said, replace(said, value=said.value / 1000, half=said.half / 1000)]  # `1,234 s`
        if self.quantity in (*_SHARES, "error", "difference") and not said.unit:
            return [said, replace(said, value=said.value / 100, half=said.half / 100)]
        return [said]


def _text(quantity: str, value: float) -> str:
    if quantity in (*_SHARES, "error", "difference", "spread"):
        return percent(value, 2)
    if quantity in (*TIMES, "time"):
        return seconds(value)
    if quantity == "stored":
        return bytes_(round(value))
    return number(round(value)) if float(value).is_integer() else f"{value:.4f}"


def _claims(table: Table, truths: Truths, names: Names) -> Iterator[Claim]:
    if {"layer", "parameters"} <= {header.lower() for header in table.headers}:
        return  # its rows are layers, and a layer may be called as a model is (`K`)
    if re.search(r"hand-?out|publish|paper|literature", table.title, re.IGNORECASE):
        return
    fractions = truths.view.fractions
    columns = [_column(header, fractions) for header in table.headers]
    of_table = _fraction(table.title, fractions)
    for row in table.rows:
        models = [(place, names.only(cell)) for place, cell in enumerate(row)]
        named = [(place, model) for place, model in models if model]
        if len(named) != 1:
            continue  # nobody's row, or a comparison of two
        where, model = named[0]
        if row[where] not in names.labels and _CHANGED.search(row[where]):
            continue
        for place, cell in enumerate(row[: len(columns)]):
            quantity, fraction = columns[place]
            if place != where and quantity:
                scaled = _scaled(quantities(_pointed(cell, quantity)), table.headers[place], quantity)
                yield from _of_cell(cell, scaled, model, quantity, fraction or of_table)


def _pointed(cell: str, quantity: str) -> str:
    """A cell whose numbers have a decimal point: `87,3 %` and `0,873`, but not `7,510` parameters."""
    if quantity in _COUNTS:
        cell = re.sub(r"(?<=\d)\s(?=\d{3}(?!\d))", ",", cell)
    decimals = r"\d+" if quantity in _SHARES else r"(?<=0,)\d+|\d{1,2}|\d{4,}"
    return re.sub(rf"(?<![\d.,])(\d+),({decimals})(?![\d.,])", r"\1.\2", cell)


def _scaled(said: list[Quantity], header: str, quantity: str) -> list[Quantity]:
    """Numbers without a unit of their own in the unit that their heading names; none where it is unknown."""
    found = _UNIT.search(header)
    named = (found[1] or found[2] or "") if found else ""
    if not named or quantity in _SHARES or quantity not in (*_COUNTS, "time", "stored"):
        return said
    unit = quantities(f"1 {named.removesuffix('s') if named.endswith('ions') else named}")
    if len(unit) == 1 and (unit[0].unit or unit[0].value != 1):
        scale, sign = unit[0].value, unit[0].unit
        return [
            one if one.unit else replace(one, value=one.value * scale, half=one.half * scale, unit=sign)
            for one in said
        ]
    return [] if re.search(r"\d|[×x*^]|^(thou|mill|bill)", named) else said


def _of_cell(
    cell: str, said: list[Quantity], model: str, quantity: str, fraction: float | None
) -> Iterator[Claim]:
    if quantity == "by unit":  # the course's own table: `66.5 %, 1.03 s` under a share of the data
        for one in said:
            if one.unit in ("%", "s"):
                yield Claim((model,), "accuracy" if one.unit == "%" else "time", one, fraction)
        return
    if quantity == "stored" and not all(one.unit == "B" for one in said):
        return  # `size` may be anything's
    spread = "±" in cell or "+/-" in cell
    for position, one in enumerate(said):
        if position == 0:
            yield Claim((model,), quantity, _in_seconds(one, quantity), fraction)
        elif position == 1 and spread and quantity == "accuracy":
            yield Claim((model,), "spread", one, fraction)


def _in_seconds(said: Quantity, quantity: str) -> Quantity:
    return replace(said, unit="s") if quantity == "time" and not said.unit else said


def _column(header: str, fractions: Sequence[float]) -> tuple[str, float | None]:
    """What a column holds, and at which fraction; empty for what is not known."""
    fraction = _fraction(header, fractions)
    lowered = _UNIT.sub("", header.lower()).strip() if _UNIT.sub("", header).strip() else header.lower()
    if _ELSEWHERE.search(header):
        return "", None
    for pattern, quantity in _COLUMNS:
        if re.search(pattern, lowered):
            return quantity, fraction
    return ("by unit", fraction) if fraction is not None else ("", None)


def _fraction(text: str, fractions: Sequence[float]) -> float | None:
    """The one fraction that a text names, as in `10 % of the training images`."""
    found = {f for one in quantities(text) if one.unit == "%" for f in fractions if one.means(f)}
    return found.pop() if len(found) == 1 else None


def _layers(table: Table, place: Place, truths: Truths) -> Iterator[tuple[bool, str]]:
    """A model's layer table: the numbers of each row against those of its layer."""
    headers = [header.lower() for header in table.headers]
    if not place.model or "layer" not in headers or "parameters" not in headers:
        return
    section = next((s for s in truths.view.sections if s.label == place.model), None)
    if section is None or len(section.layers) != len(table.rows):
        return
    for name, attribute in (("parameters", "parameters"), ("macs", "macs")):
        if name not in headers:
            continue
        column = headers.index(name)
        for row, layer in zip(table.rows, section.layers, strict=True):
            said = quantities(row[column]) if column < len(row) else []
            truth = getattr(layer, attribute)
            if said:
                yield (
                    said[0].means(truth),
                    f"layer {plain(row[0], 40)} of {plain(place.model, 60)}: {name} "
                    f"{plain(said[0].text, 40)}; recomputed {number(truth)}",
                )
