"""Checking one delivery, from its file to its verdict. None of its code is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nablab.analysis.results import Results, RunData
from nablab.data.dataset import Dataset
from nablab.errors import NablabError, UserError
from nablab.grading.claims import check_tables
from nablab.grading.confine import check_tree, inside
from nablab.grading.evidence import Evidence
from nablab.grading.explanations import find_answers, find_named
from nablab.grading.images import check_same_data, find_images
from nablab.grading.marking import mark, missing_pieces
from nablab.grading.notebook import Notebook, folders_named, read_notebook
from nablab.grading.order import check_order
from nablab.grading.outline import Names, Place, outline
from nablab.grading.pictures import check_pictures
from nablab.grading.pieces import find_pieces
from nablab.grading.prose import check_prose
from nablab.grading.records import Replay, copied_runs, replay, replayed_results
from nablab.grading.rescoring import Scorer, attempt, scorer_of
from nablab.grading.rubric import Rubric
from nablab.grading.shown import Compared, check_shown
from nablab.grading.truths import Truths
from nablab.grading.verdict import Finding, Verdict, plain
from nablab.report.words import listed
from nablab.runs.record import RunRecord
from nablab.runs.store import RunFolder, find_runs

#: What no machine can say, whatever else it finds.
LEFT_TO_YOU = (
    "left to you: whether explanations are right and the student's own, and whether a model is a new idea",
    "times are compared with the records only: nothing can measure them again",
)

Retrain = Callable[[Results, Dataset], tuple[list[Finding], list[str]]]


@dataclass(frozen=True)
class Options:
    """How deliveries are checked.

    Attributes:
        rubric: that they are marked by.
        runs: where the records are, in place of the folder that the notebook names.
        data: the images, where they are no known source.
        sample: test images that each run's weights are asked about at most; None is all.
        scorer: makes a scorer from a run; by default of nablab's own models only.
        pictures: draw matrices and curves again, to compare them.
        retrain: trains again, where that was asked for.
    """

    rubric: Rubric
    runs: Path | None = None
    data: Dataset | None = None
    sample: int | None = None
    scorer: Callable[[RunFolder, RunRecord, Dataset], Scorer] = scorer_of
    pictures: bool = True
    retrain: Retrain | None = None


def check_delivery(path: Path, options: Options, name: str = "") -> Verdict:
    """The verdict on the notebook in `path`. What cannot be used gives a verdict with an error, too.

    Args:
        name: what it is called in tables; by default its file's name.
    """
    name = plain(name or path.name)
    try:
        notebook = read_notebook(path)
        read = _read_results(notebook, options)
        verdict, _, wrong = attempt(lambda: _check(name, notebook, read, options))
    except NablabError as error:
        return Verdict(name, error=plain(error))
    if wrong:
        return Verdict(name, error=f"its records cannot be put together: {wrong}")
    assert isinstance(verdict, Verdict)
    return verdict


@dataclass(frozen=True)
class _Read:
    """The runs that a notebook reads, by folder."""

    folders: tuple[Results, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def together(self) -> Results:
        """The runs of the first folder, and of each other one what those before it do not have."""
        runs: list[RunData] = []
        for results in self.folders:
            there = {(run.label, run.fraction, run.seed) for run in runs}
            runs += [run for run in results.runs if (run.label, run.fraction, run.seed) not in there]
        return Results(self.folders[0].folder, tuple(runs))

    @property
    def runs(self) -> tuple[RunData, ...]:
        """All of them, each once."""
        return tuple({run.folder.path: run for one in self.folders for run in one.runs}.values())


def _read_results(notebook: Notebook, options: Options) -> _Read:
    """The runs that a notebook reads, of the data that most of the first folder's are on.

    Raises:
        UserError: it names no folder, one outside of its own, or one without a run that can be read.
    """
    if options.runs is not None:
        results, findings = _read_folder(options.runs)
        return _Read((results,), tuple(findings), ())
    named = list(dict.fromkeys(name for _, name in folders_named(notebook)))
    if not named:
        raise UserError(
            f'{notebook.path} reads no run records (no nablab.results("...")); '
            "say where they are: --runs FOLDER"
        )
    results, findings = _read_folder(inside(notebook.path.parent, named[0]))
    folders, notes = [results], []
    for name in named[1:]:
        try:
            more, found = _read_folder(inside(notebook.path.parent, name))
        except UserError as error:
            notes.append(f"not read: {plain(error)}")
            continue
        if more.runs[0].record.data.fingerprint != results.runs[0].record.data.fingerprint:
            notes.append(f"not read: the runs in {plain(name, 80)!r} are on other data")
        elif more.folder not in [one.folder for one in folders]:
            folders.append(more)
            findings += found
    return _Read(tuple(folders), tuple(findings), tuple(notes))


def _read_folder(folder: Path) -> tuple[Results, list[Finding]]:
    """The runs of a folder, of the data that most of them are on, and findings about the others."""
    check_tree(folder)
    findings: list[Finding] = []
    found: list[tuple[RunFolder, RunRecord]] = []
    for run in find_runs(folder):
        try:
            found.append((run, run.record()))
        except (UserError, RecursionError, ValueError) as error:
            where = f"run {plain(run.path.name, 80)}"
            findings.append(Finding("record", where, f"its run.json cannot be read: {plain(error)}"))
    if not found:
        raise UserError(f"{folder} holds no run that can be read: {findings[0].message}")
    findings += check_same_data([record for _, record in found])
    commonest = Counter(record.data.fingerprint for _, record in found).most_common(1)[0][0]
    kept = [(run, record) for run, record in found if record.data.fingerprint == commonest]
    return Results(folder, tuple(_labelled(kept))), findings


def _labelled(found: Sequence[tuple[RunFolder, RunRecord]]) -> list[RunData]:
    """With labels as `analysis.results` gives them: models of one name told apart by their folders."""
    times = Counter((r.model.label, r.data.fraction, r.recipe.get("seed")) for _, r in found)
    shared = {label for (label, _, _), count in times.items() if count > 1}
    runs = []
    for run, record in found:
        label = record.model.label
        if label in shared:
            parent = run.path.resolve().parent
            label = f"{label} ({(parent.parent if parent.name == 'runs' else parent).name})"
        runs.append(RunData(run, record, label))
    return runs


def _check(name: str, notebook: Notebook, read: _Read, options: Options) -> Verdict:
    results = read.together
    dataset, about_data, notes = find_images(results.runs[0].record.data, options.data)
    findings = [*read.findings, *about_data]
    notes += read.notes
    replays = [replay(run, dataset, options.sample, options.scorer) for run in read.runs if run.done]
    findings += [finding for one in replays for finding in one.findings]
    findings += copied_runs(results)
    notes += _told_once(replays)
    notes += _unfinished(results)
    truths = Truths(replayed_results(results, replays))
    # A cell may show one folder's runs or those of another; which, is not known without running it.
    apart = read.folders if len(read.folders) > 1 else ()
    others = [Truths(replayed_results(one, replays)) for one in apart]
    if options.retrain is not None and dataset is not None:
        found, more = options.retrain(results, dataset)
        findings += found
        notes += more
    names = Names(truths.results.labels)
    places = outline(notebook, truths.results.labels)
    findings += check_order(notebook)
    compared = [
        min((_compare(place, one) for one in (truths, *others)), key=lambda done: len(done.findings))
        for place in places
    ]
    compared.append(check_pictures(places, truths, others) if options.pictures else Compared(0, ()))
    notes += [] if options.pictures else ["matrices and curves were not drawn again"]
    findings += [finding for one in compared for finding in one.findings]
    notes += [note for one in compared for note in one.notes]
    numbers = sum(one.numbers for one in compared[:-1])
    evidence = Evidence(
        rubric=options.rubric,
        truths=truths,
        pieces=find_pieces(places, truths, names),
        answers=find_answers(places, truths),
        named=find_named(places, truths, names),
        findings=tuple(findings),
        broken=_broken(findings, results),
        numbers=numbers,
        asked=(sum(one.asked_again > 0 for one in replays), len(replays)),
    )
    return Verdict(
        delivery=name,
        findings=(*findings, *missing_pieces(evidence)),
        notes=(*dict.fromkeys(notes), *LEFT_TO_YOU),
        marks=mark(evidence, options.rubric),
        facts=_facts(notebook, results, replays, numbers, compared[-1].numbers),
    )


def _compare(place: Place, truths: Truths) -> Compared:
    """What one cell says in tables and sentences, held against redone runs."""
    names = Names(truths.results.labels)
    known = check_shown(place, truths)
    if known is not None:
        place = replace(place, cell=replace(place.cell, outputs=known.rest))
    tables, prose = check_tables(place, truths, names), check_prose(place, truths, names)
    parts = [part for part in (known, tables, prose) if part is not None]
    return Compared(
        sum(part.numbers for part in parts),
        tuple(finding for part in parts for finding in part.findings),
        tuple(note for part in parts for note in part.notes),
    )


def _told_once(replays: Sequence[Replay]) -> list[str]:
    """What is to be known of runs, each once, with the runs that it holds for."""
    holds_for: dict[str, list[str]] = {}
    for one in replays:
        for note in one.notes:
            holds_for.setdefault(note, []).append(plain(one.run.record.id, 80))
    return [f"{_named(names, len(replays))}: {note}" for note, names in holds_for.items()]


def _named(names: Sequence[str], runs: int) -> str:
    if len(names) == runs > 1:
        return f"all {runs} runs"
    return listed(names if len(names) < 5 else [*names[:3], f"{len(names) - 3} more"])


def _unfinished(results: Results) -> list[str]:
    return [
        f"run {plain(run.record.id, 80)} is {run.record.status}, not done"
        + (f": {plain(run.record.failure.message, 120)}" if run.record.failure else "")
        for run in results.runs
        if not run.done
    ]


def _broken(findings: Sequence[Finding], results: Results) -> dict[str, str]:
    """Models whose records do not hold, with the first reason."""
    by_run = {f"run {plain(run.record.id, 80)}": run.label for run in results.runs}
    broken: dict[str, str] = {}
    for finding in findings:
        if finding.subject in ("record", "data", "training") and finding.where in by_run:
            broken.setdefault(by_run[finding.where], str(finding))
    return broken


def _facts(
    notebook: Notebook, results: Results, replays: Sequence[Replay], numbers: int, pictures: int
) -> dict[str, int]:
    return {
        "code cells": len(notebook.code),
        "models": len(results.labels),
        "runs": len(results.runs),
        "runs asked again": sum(one.asked_again > 0 for one in replays),
        "answers asked again": sum(one.asked_again for one in replays),
        "numbers held against the records": numbers,
        "pictures held against the records": pictures,
    }
