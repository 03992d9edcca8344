"""Numbers that a student's sentences claim near a model's name.

What is no claim about a trained model is left alone: a share of the data, what others published, what was
hoped for. In doubt nothing is said: a wrong accusation is worse than a number that a person has to look at.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

from nablab.grading.claims import Claim
from nablab.grading.notebook import Output
from nablab.grading.outline import Names, Place
from nablab.grading.shown import Compared
from nablab.grading.texts import (
    LONGEST,
    Quantity,
    html_paragraphs,
    plain_markdown,
    quantities,
    with_units,
)
from nablab.grading.truths import Truths
from nablab.grading.verdict import Finding

#: Sentences about what is not, or not here.
_ELSEWHERE = re.compile(
    r"\b(hand-?out|publish\w*|paper|literature|would|could|might|should|hope\w*|expect\w*|goal|if|chance|"
    r"guess\w*|random)\b|n't\b|\b(not|never)\b",
    re.IGNORECASE,
)
_ABOVE = re.compile(r"(more than|over|above|at least|exceeds?|beyond|>=?|≥)\s*$", re.IGNORECASE)
_BELOW = re.compile(r"(less than|under|below|at most|up to|fewer than|<=?|≤)\s*$", re.IGNORECASE)
_ROUGHLY = re.compile(
    r"(about|around|roughly|approximately|circa|ca\.|almost|nearly|close to|some|[~≈])\s*$", re.IGNORECASE
)
#: `86.7 % for mlp`, `a test accuracy of 86.7 % with the mlp`.
_LEADS_ON = re.compile(r"^[\s,)]*(\w+\s+){0,3}(for|by|with|of|from|in|using)\s+(the\s+|my\s+)?[`*]*$")
_OF_DATA = re.compile(r"^\s*(of|from)\s+(the\s+|all\s+|its\s+)*(train\w*|data|images|samples|set)\b")
#: `97 % of the test images` is an accuracy; `30 % of its units`, `10 % more`, `3 % ahead` are none.
_OF_ELSE = re.compile(
    r"^\s*(more|less|fewer|higher|lower|better|worse|smaller|larger|bigger|faster|slower|cheaper|ahead|behind|"
    r"apart|improvement|increase|decrease|gain|drop|rise|loss|difference|gap|interval|"
    r"(of|from)\s+(?!(the\s+|all\s+|its\s+)*test\b))"
)
#: `better by 3 %`, `a gap of 3 %`, `misclassifies 3 %`.
_BY = re.compile(
    r"\b(by|within)\s+((about|around|only|some|up to|nearly|almost|over|more than|less than|at most)\s+)*$|"
    r"\b(gains?|gained|loses?|lost|adds?|added|uses?|used|saves?|saved|misclassif\w*)\s+(\w+\s+)?$|"
    r"\b(gap|difference|spread|gains?|improvement|increase|decrease|drop|deviation|margin|lead|variance|std|"
    r"range|interval|advantage)\b(?![^.]*\b(to|at|reach\w*|accuracy of)\s*$)[^.]*$"
)
_AFTER_SHARE = re.compile(r"\b(at|with|from|to|using|on|only|just|and|,)\s*(the\s+)?$", re.IGNORECASE)

_PARTS = re.compile(r"\b(train\w*|valid\w*|epochs?)\b", re.IGNORECASE)
#: Times of a part, or of several: no record has them.
_OTHER_TIME = re.compile(r"\b(epochs?|steps?|batch\w*|total|altogether|together|all|both|each|seeds)\b")
_EARLY = re.compile(r"\b(epochs?|start|begin\w*|initial\w*|first|untrained|lowest|minimum|least|best)\b")

_LONGEST_SENTENCE = 2000
#: Between paragraphs, and before items of lists, headings and rows of tables; also inside of quotations.
_BREAK = re.compile(r"\n[ \t]*(?:>[ \t]*)?\n|\n(?=[ \t]*>?[ \t]*(?:[-*#|]|\d+\.))")

#: How `HTML(...)`, and what has a `_repr_html_` but no `repr`, shows as text: no pandas, none of nablab's.
_OBJECT = re.compile(r"<[\w.<>]+ object( at 0x[0-9a-fA-F]+)?>")
#: What nablab shows in a notebook's cell while it works, and at the end.
_PROGRESS = re.compile(
    r"<p>(<progress[^>]*></progress>(?!.*<p).*|<small>\d+ of \d+ runs in [^<]*</small>)</p>", re.DOTALL
)


def check_prose(place: Place, truths: Truths, names: Names) -> Compared:
    """Hold the sentences of a Markdown cell, and those that a cell puts out, against the redone runs."""
    findings, numbers = [], 0
    for paragraph in _paragraphs(place):
        for claim in _claims(paragraph, place, truths, names):
            numbers += 1
            if claim.wrong(truths):
                findings.append(Finding("number", place.cell.where, f"says {claim.message(truths)}"))
    return Compared(numbers, tuple(findings))


def _paragraphs(place: Place) -> Iterator[str]:
    texts = [place.cell.source] if place.cell.kind != "code" else []
    texts += [_said(output) for output in place.cell.outputs]
    for text in texts:
        for paragraph in _BREAK.split(text[:LONGEST]):
            bare = re.sub(r"^\s*>+", "", paragraph, flags=re.MULTILINE)
            if not bare.lstrip().startswith(("#", "|")):
                yield plain_markdown(bare.replace("`", "\0")).replace("\0", "`")


def _said(output: Output) -> str:
    """What an output says in sentences: a stream, Markdown, HTML that a person wrote, or a string."""
    plain = output.texts.get("text/plain", "")
    if output.kind == "stream":
        return plain
    if output.kind == "error":
        return ""
    if "text/markdown" in output.texts:
        return output.texts["text/markdown"]
    page = output.texts.get("text/html", "")
    if _OBJECT.fullmatch(plain) and page and not _PROGRESS.fullmatch(page):
        return "\n\n".join(html_paragraphs(page))
    if not page and plain.startswith(("'", '"')) and len(plain) <= LONGEST:
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            value = ast.literal_eval(plain)
            return value if isinstance(value, str) else ""
    return ""


def _claims(paragraph: str, place: Place, truths: Truths, names: Names) -> Iterator[Claim]:
    spoken_of = place.model
    for sentence in re.split(r"(?<=[.!?;])\s+|\n", paragraph):
        if len(sentence) > _LONGEST_SENTENCE or _ELSEWHERE.search(sentence):
            continue
        sentence = with_units(sentence)
        mentions = names.found(sentence)
        found = quantities(sentence)
        ended = 0
        for position, one in enumerate(found):
            beginning, ended = ended, one.start + len(one.text)
            spread = sentence[: one.start].endswith("±")
            if spread or any(start <= one.start < end for start, end, _ in mentions):
                continue
            models = _models(sentence, one, mentions, found) or ((spoken_of,) if spoken_of else ())
            if models:
                following = found[position + 1].start if position + 1 < len(found) else len(sentence)
                between = slice(beginning, following)
                yield from _claim(sentence, one, models, mentions, between, truths)
        named = {label for _, _, label in mentions}
        if named:
            spoken_of = named.pop() if len(named) == 1 else ""


def _models(
    sentence: str, one: Quantity, mentions: list[tuple[int, int, str]], found: Sequence[Quantity]
) -> tuple[str, ...]:
    """Which model a number is about; several where the sentence lists them before their numbers."""
    if not mentions:
        return ()
    labels = tuple(dict.fromkeys(label for _, _, label in mentions))
    listed = any(not any(a[1] <= other.start < b[0] for other in found) for a, b in pairwise(mentions))
    if "respectively" in sentence or (listed and len(labels) > 1):
        return labels
    end = one.start + len(one.text)
    after = next((mention for mention in mentions if mention[0] >= end), None)
    before = [mention for mention in mentions if mention[1] <= one.start]
    if after is not None and (not before or _LEADS_ON.match(sentence[end : after[0]])):
        return (after[2],)
    return (before[-1][2],) if before else ()


def _claim(
    sentence: str,
    one: Quantity,
    models: tuple[str, ...],
    mentions: list[tuple[int, int, str]],
    between: slice,
    truths: Truths,
) -> Iterator[Claim]:
    """What a number claims, by the words between the numbers before and after it."""
    before = sentence[max(between.start, one.start - 60) : one.start]
    after = sentence[one.start + len(one.text) : min(between.stop, one.start + len(one.text) + 60)]
    quantity = _quantity(one, before.lower(), after.lower(), truths)
    if quantity == "accuracy" and _PARTS.search(sentence) and not re.search(r"\btest", before + after):
        quantity = "some accuracy"  # of which images is not said beside it
    if quantity == "difference":
        models = tuple(dict.fromkeys(label for _, _, label in mentions))
    if not quantity or (quantity == "difference" and len(models) < 2):
        return
    bound = "above" if _ABOVE.search(before) else "below" if _BELOW.search(before) else ""
    if _ROUGHLY.search(before):
        one = Quantity(one.value, max(4 * one.half, 0.02 * abs(one.value)), one.unit, one.text, one.start)
    fraction = None
    if quantity in ("accuracy", "some accuracy", "train accuracy", "validation accuracy", "test loss"):
        fraction = _fraction_near(sentence, one, truths)
    yield Claim(models, quantity, one, fraction, bound)


def _quantity(one: Quantity, before: str, after: str, truths: Truths) -> str:
    """Of what a number is, by its unit and the words around it; empty where it is no claim."""
    if one.unit == "s":
        digits = re.fullmatch(r"\d+s", one.text)  # `the 9s` are digits
        return "" if digits or _OTHER_TIME.search(before + after) else "time"
    if one.unit == "B":
        return "stored"
    for word, quantity in (("param", "parameters"), ("mac", "MACs"), ("flop", "FLOPs")):
        if re.match(rf"\s*(trainable\s+|learnable\s+)?{word}", after) or re.search(
            rf"\b{word}\w*\s*(:|=|is|are|of)\s*$", before
        ):
            return quantity
    if re.match(r"\s*(percentage\s+)?(points?|pp)\b", after):
        return "difference"
    if one.unit == "%":
        return _share(one, before, after, truths)
    if re.search(r"\bloss\s*(:|=|of|is|was)?\s*$", before):
        kind = "train loss" if "train" in before else "validation loss" if "valid" in before else "test loss"
        return "" if _EARLY.search(before + after) else kind
    if 0 < one.value <= 1 and one.half < 0.5 and re.search(r"\bacc\w*\W*(\w+\W+){0,2}$", before):
        return _share(one, before, after, truths)
    return ""


def _share(one: Quantity, before: str, after: str, truths: Truths) -> str:
    around = f"{before[-45:]} {after[:30]}"
    if (_OF_DATA.match(after) and not re.match(r"\s*of\s+(the\s+|all\s+|its\s+)*test\b", after)) or (
        _OF_ELSE.match(after) or _BY.search(before)
    ):
        return ""
    if any(one.means(f) for f in truths.view.fractions) and _AFTER_SHARE.search(before):
        return ""
    if re.search(
        r"\bconfiden|\bsure\b|dropout|probab|significan|\blevel\b|faster|slower|cheaper|reduc", around
    ):
        return ""
    if re.search(r"precision|recall|\bf1\b|taken for|confus|\bclass(es)?\b", around):
        return "by class"
    if "error" in around:
        return "" if _PARTS.search(around) else "error"
    if "epoch" in around or ("test" in around and re.search(r"\b(train|valid)", around)):
        return "some accuracy"
    if re.search(r"\btrain\w*\s+(set\s+)?acc|on\s+(the\s+)?train", around):
        return "train accuracy"
    if "validation" in around:
        return "validation accuracy"
    return "accuracy"


def _fraction_near(sentence: str, one: Quantity, truths: Truths) -> float | None:
    """The fraction that the sentence speaks of, where it speaks of one only."""
    found = set()
    for other in quantities(sentence):
        end = other.start + len(other.text)
        if other.start != one.start and other.unit == "%" and _is_share(sentence, other, end):
            found |= {f for f in truths.view.fractions if other.means(f)}
    return found.pop() if len(found) == 1 else None


def _is_share(sentence: str, other: Quantity, end: int) -> bool:
    before, after = sentence[: other.start], sentence[end:]
    return bool(_OF_DATA.match(after.lower()) or re.search(r"\b(at|with|using)\s*$", before, re.IGNORECASE))
