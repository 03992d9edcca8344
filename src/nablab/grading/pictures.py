"""The matrices and curves of a delivery, drawn again from the redone runs and compared pixel for pixel.

The same versions draw the same pixels, in the font that they bring along. Where a notebook says that they
drew it, some of its pictures come out the same and one does not, that one shows something else. Elsewhere
only what certainly belongs to another model is found: its very picture, or a matrix that is clearly nearer
to its matrix than to the right one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray

from nablab.grading.outline import Place
from nablab.grading.shown import Call, Compared, calls_of
from nablab.grading.truths import Truths
from nablab.grading.verdict import Finding, plain
from nablab.report.notebook_drawing import drawer, drawers_in, has_own_font
from nablab.report.view_types import ComparisonView
from nablab.report.words import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pixels = NDArray[np.uint8]

#: Pixels of one picture that are looked at.
_LARGEST = 40_000_000
#: A matrix is another model's if it is so much nearer to that one's.
_NEARER = 0.5


@dataclass(frozen=True, eq=False)
class _Shown:
    """A picture in a cell, and what it should be."""

    place: Place
    kind: str  #: `matrix`, `curves`, `plot`
    pixels: Pixels | None  #: None: it cannot be read
    wanted: Pixels
    portable: bool  #: every machine has the font of its names

    @property
    def same(self) -> bool:
        return self.pixels is not None and np.array_equal(self.pixels, self.wanted)


def check_pictures(places: Sequence[Place], truths: Truths, others: Sequence[Truths] = ()) -> Compared:
    """Hold every picture that a call of `plots` drew against the same call on the redone runs.

    Args:
        others: the runs of single folders, where a notebook reads several: a cell may show those of one.
    """
    shown = [one for place in places for one in _best_in(place, (truths, *others))]
    held = {one.place.cell.number for one in shown}
    own = [place.cell.where for place in places if place.cell.number not in held and _is_unheld(place)]
    more = f" and {len(own) - 8} more" if len(own) > 8 else ""
    unheld = (
        (f"pictures of its own, or changed, that no record is held against: {'; '.join(own[:8])}{more}",)
        if own
        else ()
    )
    drawn_otherwise = _drawn_otherwise(places, shown)
    findings, unknown = [], Counter[str]()
    for one in shown:
        if one.same:
            continue
        otherwise = drawn_otherwise or ("" if one.portable else "the fonts of their names differ by machine")
        message = _message(one, shown, truths, otherwise)
        if message:
            findings.append(Finding("picture", one.place.cell.where, message))
        else:
            unknown[otherwise] += 1
    notes = [f"{count(n, 'picture')} not compared: {reason}" for reason, n in unknown.items()]
    return Compared(sum(one.same for one in shown), tuple(findings), (*notes, *unheld))


def _drawn_otherwise(places: Sequence[Place], shown: Sequence[_Shown]) -> str:
    """Why the pictures of a notebook may differ from those drawn here without being wrong; or empty."""
    cells = [place.cell for place in places if calls_of(place.cell, "tables")]
    drawers = drawers_in(text for cell in cells for output in cell.outputs for text in output.texts.values())
    if not drawers:
        return "the notebook does not say what drew it, as those of earlier versions"
    if drawers != {drawer()}:
        return f"drawn by {plain(' and '.join(sorted(drawers)), 200)}; here it is {drawer()}"
    return "" if any(one.same for one in shown) else "all of them are drawn otherwise here"


def _is_unheld(place: Place) -> bool:
    """Whether a cell shows curves, matrices or whatever else, but no network's graph or nablab's examples."""
    outputs = place.cell.outputs
    if calls_of(place.cell, "plots"):
        return any(output.drawn for output in outputs)
    return any(output.pictures for output in outputs) and not calls_of(place.cell, "pictures")


def _best_in(place: Place, every: Sequence[Truths]) -> list[_Shown]:
    """The pictures of a cell beside those of the runs that they come from, else of the first with such."""
    found: list[_Shown] = []
    for truths in every:
        shown = list(_shown_in(place, truths))
        if shown and all(one.same for one in shown):
            return shown
        found = found or shown
    return found


def _shown_in(place: Place, truths: Truths) -> Iterator[_Shown]:
    calls = calls_of(place.cell, "plots")
    pictures = [picture for output in place.cell.outputs for picture in output.pictures]
    if len(calls) != 1 or not pictures:
        return
    kind, figures = _figures(calls[0], place, truths)
    if len(figures) == len(pictures):
        for picture, figure in zip(pictures, figures, strict=True):
            yield _Shown(place, kind, _read(picture), _draw(figure), _is_portable(kind, truths.view))


def _is_portable(kind: str, view: ComparisonView) -> bool:
    classes = view.data.classes if kind == "matrix" else ()
    return has_own_font("".join([*(row.label for row in view.rows), *classes]))


def _figures(call: Call, place: Place, truths: Truths) -> tuple[str, list[Figure]]:
    """What a call draws, as `nablab.report.notebook_cells` writes it."""
    from nablab.report import plots

    view = truths.view
    section = next((one for one in view.sections if one.label == place.model), None)
    if call.name == "confusion_figure" and section is not None and section.confusion is not None:
        return "matrix", [plots.confusion_figure(section.confusion, title=section.label)]
    if call.name == "curves_figure" and section is not None:
        return "curves", [
            plots.curves_figure(one, title=f"{one.label}, {100 * one.fraction:g} % of the training images")
            for one in section.curves
        ]
    if call.name == "all_curves_figure" and call.arguments[1:] in (("test", "accuracy"), ("train", "loss")):
        return "plot", [plots.all_curves_figure(view, *call.arguments[1:])]
    return "plot", _scatter(call, view)


def _scatter(call: Call, view: ComparisonView) -> list[Figure]:
    from nablab.report import plots

    if call.name == "scatter_figure" and "training time" in call.arguments:
        return [plots.scatter_figure(view, view.time_points, "training time", seconds=True)]
    if call.name == "scatter_figure" and "parameters" in call.arguments:
        return [plots.scatter_figure(view, view.parameter_points, "parameters")]
    return []


def _message(one: _Shown, shown: Sequence[_Shown], truths: Truths, otherwise: str) -> str:
    """What is wrong with a picture; empty where nothing can be said."""
    if one.pixels is None:
        return "its picture cannot be read"
    twin = next((o for o in shown if o is not one and np.array_equal(one.pixels, o.wanted)), None)
    if twin is not None:
        return f"its picture ({one.kind}) is the one that belongs into {twin.place.cell.where}{_of(twin)}"
    if one.kind == "matrix":
        nearest = _nearest_matrix(one, truths)
        if nearest:
            return f"the confusion matrix under {plain(one.place.model, 60)} is that of {plain(nearest, 60)}"
    return "" if otherwise else f"its picture ({one.kind}) is not what the records give{_of(one)}"


def _of(one: _Shown) -> str:
    return f", {plain(one.place.model, 60)}" if one.place.model else ""


def _nearest_matrix(one: _Shown, truths: Truths) -> str:
    """The model whose matrix the picture shows, if another's; all drawn under the title of this one."""
    from nablab.report import plots

    assert one.pixels is not None
    own = _distance(one.pixels, one.wanted)
    found: list[tuple[float, str]] = []
    for section in truths.view.sections:
        if section.label != one.place.model and section.confusion is not None:
            drawn = _draw(plots.confusion_figure(section.confusion, title=one.place.model))
            found.append((_distance(one.pixels, drawn), section.label))
    distance, label = min(found, default=(np.inf, ""))
    return label if distance < _NEARER * own else ""


def _distance(a: Pixels, b: Pixels) -> float:
    """Mean difference of pixels, brought to one size."""
    from PIL import Image

    if a.shape != b.shape:
        a = np.asarray(Image.fromarray(a).resize((b.shape[1], b.shape[0])))
    return float(np.abs(a.astype(np.int16) - b).mean())


def _draw(figure: Figure) -> Pixels:
    """As a notebook with nablab's first cell draws it: twice the pixels, on white."""
    page = BytesIO()
    figure.savefig(page, format="png", dpi=2 * figure.dpi, facecolor="white")
    pixels = _read(page.getvalue())
    assert pixels is not None
    return pixels


def _read(content: bytes) -> Pixels | None:
    from PIL import Image

    try:
        with catch_warnings():
            simplefilter("error")  # a picture that is too large is a warning first
            with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as picture:
                if picture.width * picture.height > _LARGEST:
                    return None
                pixels: Any = np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError):
        return None
    return np.asarray(pixels, dtype=np.uint8)
