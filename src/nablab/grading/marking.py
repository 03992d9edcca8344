"""The criteria that rubrics are made of. Each gives a share in [0, 1] and the evidence for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from nablab.grading.evidence import Evidence
from nablab.grading.rubric import Part, Rubric
from nablab.grading.verdict import Finding, Mark, Reason, plain

Share = tuple[float, tuple[str, ...]]

#: By the name that a rubric calls it.
CRITERIA: dict[str, Callable[[Evidence], Share]] = {}


def criterion(measure: Callable[[Evidence], Share]) -> Callable[[Evidence], Share]:
    """Make a function a criterion of its own name."""
    CRITERIA[measure.__name__] = measure
    return measure


def mark(evidence: Evidence, rubric: Rubric) -> tuple[Mark, ...]:
    """The marks of all parts: points by the weighted mean of the shares."""
    return tuple(_mark(part, evidence) for part in rubric.parts)


def _mark(part: Part, evidence: Evidence) -> Mark:
    reasons = []
    for name, weight in part.criteria.items():
        share, lines = CRITERIA[name](evidence)
        reasons.append(Reason(name, weight, share, lines))
    total = sum(reason.weight for reason in reasons)
    points = part.points * sum(reason.weight * reason.share for reason in reasons) / total
    return Mark(part.name, round(points, 2), part.points, tuple(reasons))


@criterion
def given_models_trained(evidence: Evidence) -> Share:
    """The rubric's given models have finished runs whose records hold."""
    lines, right = [], 0
    given = evidence.given()
    for name, label in given.items():
        why = evidence.trained(label) if label else "not in the delivery"
        right += not why
        lines.append(f"{name}: {why or 'trained'}")
    return _share(right, len(given)), tuple(lines)


@criterion
def new_models_trained(evidence: Evidence) -> Share:
    """So many models of the student's own, too."""
    lines, right = [], 0
    for label in evidence.new():
        why = evidence.trained(label)
        right += not why
        lines.append(f"{plain(label, 60)}: {why or 'trained'}")
    wanted = evidence.rubric.new_models
    return _share(min(right, wanted), wanted), (*lines, f"{right} of {wanted} new models")


@criterion
def new_models_explained(evidence: Evidence) -> Share:
    """The student's sentences name each of the new models, in enough words."""
    lines, right = [], 0
    for label in evidence.new():
        named = evidence.named.get(label)
        explained = named is not None and named.words >= evidence.rubric.least_words
        right += explained
        words = (
            f"{'yes' if explained else 'no'}, {named.words} words ({named.where})" if named else "no words"
        )
        lines.append(f"{plain(label, 60)}: explained: {words}; quality not judged")
    wanted = evidence.rubric.new_models
    return _share(min(right, wanted), wanted), (*lines, f"{right} of {wanted} new models")


@criterion
def networks_shown(evidence: Evidence) -> Share:
    """The layers or the code of every model."""
    return _of_models(evidence.pieces.networks, evidence, "not shown")


@criterion
def questions_answered(evidence: Evidence) -> Share:
    """nablab's questions (marked with a pen) have answers, in enough words."""
    right = sum(answer.words >= evidence.rubric.least_words for answer in evidence.answers)
    return _share(right, len(evidence.answers)), tuple(map(str, evidence.answers))


@criterion
def run_in_order(evidence: Evidence) -> Share:
    """Every cell ran, once, from the first to the last, without an error."""
    return _without(evidence.findings, "order", "every cell ran, in order")


@criterion
def records_hold(evidence: Evidence) -> Share:
    """Scores, weights, curves, costs and data of the records agree."""
    asked, runs = evidence.asked
    agree = "scores, weights, curves and data agree" if asked else "scores and curves agree with run.json"
    of = f" ({asked} of {runs} runs were asked again)" if asked < runs else ""
    return _without(evidence.findings, ("record", "data"), f"{agree}{of}")


@criterion
def curves(evidence: Evidence) -> Share:
    """Curves of training and test of every model that trains in epochs."""
    learned = [section.label for section in evidence.sections if section.kind != "estimator"]
    return _of_models(_unaltered(evidence.pieces.curves, evidence), evidence, "no curves", learned)


@criterion
def curves_together(evidence: Evidence) -> Share:
    """All models' curves in one plot."""
    where = evidence.pieces.together
    return float(bool(where)), (f"all in one plot: {where or 'no'}",)


@criterion
def matrices(evidence: Evidence) -> Share:
    """The confusion matrix of every model, and not another's."""
    return _of_models(_unaltered(evidence.pieces.matrices, evidence), evidence, "no matrix that holds")


@criterion
def cost_table(evidence: Evidence) -> Share:
    """Parameters, MACs or FLOPs, and times of every model."""
    return _of_models(evidence.pieces.costs, evidence, "not in a table with parameters, FLOPs and times")


@criterion
def accuracy_table(evidence: Evidence) -> Share:
    """Every model in a table of accuracies."""
    return _of_models(evidence.pieces.accuracies, evidence, "in no table of accuracies")


@criterion
def graphs(evidence: Evidence) -> Share:
    """A picture of the graph of every network."""
    drawn = [section.label for section in evidence.sections if section.kind != "estimator"]
    return _of_models(evidence.pieces.graphs, evidence, "no graph", drawn)


@criterion
def numbers_right(evidence: Evidence) -> Share:
    """No claimed number differs from the recomputed one."""
    share, lines = _without(
        evidence.findings,
        ("number", "training"),
        f"{evidence.numbers:,} numbers agree with what was recomputed",
    )
    return share, lines


def missing_pieces(evidence: Evidence) -> list[Finding]:
    """What the delivery lacks of what its rubric asks for, as findings.

    What is there and does not hold was found already: it costs points, and is not said twice.
    """
    found: list[Finding] = []
    there = replace(evidence, findings=(), broken={})
    for part in evidence.rubric.parts:
        for name in part.criteria:
            share, lines = CRITERIA[name](there)
            if share < 1 and name not in ("run_in_order", "records_hold", "numbers_right"):
                title = name.replace("_", " ")
                found += _lacking(title, name, lines, evidence)
    return found


def _lacking(title: str, name: str, lines: Sequence[str], evidence: Evidence) -> Iterable[Finding]:
    if name == "questions_answered":
        for answer in evidence.answers:
            if answer.words < evidence.rubric.least_words:
                prompt = "the prompt is as it was" if not answer.words and answer.left else str(answer)
                yield Finding("piece", answer.where, f"question under {answer.heading!r}: {prompt}")
        return
    bad = [line for line in lines if not line.endswith((": trained",)) and ": cell " not in line]
    bad = [line for line in bad if "explained: yes" not in line]
    yield Finding("piece", "", f"{title}: {'; '.join(bad[:8])}{'; ...' if len(bad) > 8 else ''}")


def _of_models(
    there: Mapping[str, str], evidence: Evidence, otherwise: str, labels: Sequence[str] | None = None
) -> Share:
    every = [section.label for section in evidence.sections] if labels is None else labels
    lines = tuple(f"{plain(label, 60)}: {there.get(label) or otherwise}" for label in every)
    return _share(sum(label in there for label in every), len(every)), lines


def _unaltered(there: Mapping[str, str], evidence: Evidence) -> dict[str, str]:
    """Pieces in cells whose pictures are what the records give."""
    altered = {finding.where for finding in evidence.findings if finding.subject == "picture"}
    return {label: where for label, where in there.items() if where not in altered}


def _without(findings: Sequence[Finding], subjects: str | tuple[str, ...], otherwise: str) -> Share:
    wrong = [str(finding) for finding in findings if finding.subject in subjects]
    more = (f"and {len(wrong) - 5} more",) if len(wrong) > 5 else ()
    return float(not wrong), (*wrong[:5], *more) if wrong else (otherwise,)


def _share(right: int, of: int) -> float:
    return 1.0 if of == 0 else right / of
