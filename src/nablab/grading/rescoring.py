"""Asking a run's stored weights about the test images again, with nablab's own models only."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Dataset
from nablab.errors import NablabError, UserError
from nablab.grading.verdict import plain
from nablab.models.cost import count
from nablab.runs.record import RunRecord
from nablab.runs.store import RunFolder

#: Multiply-accumulates that are spent on one run before its images are sampled: some twenty minutes.
MOST_WORK = 2e13

#: What a skops file may hold that would fetch weights from elsewhere when it is used.
_FETCHING = ("nablab.models.backbone_features.BackboneFeatures",)

Scorer = Callable[[NDArray[Any]], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Rescored:
    """What the weights say now.

    Attributes:
        rows: which of the recorded answers were asked for again.
        scores: (len(rows), K).
        note: why not all were, or none; empty where all were.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    note: str = ""


class NotAsked(Exception):  # noqa: N818
    """A model that is not asked again, and why. Not a fault of the delivery."""


def scorer_of(run: RunFolder, record: RunRecord, dataset: Dataset) -> Scorer:
    """What takes raw images and gives scores, from the run's stored weights. Runs no code of the delivery.

    Raises:
        NotAsked: a user's module; an estimator on features of other runs, or of a backbone.
        UserError: the weights are gone, damaged, or not of this model.
    """
    from nablab.runs.predict import load_predictor

    if record.model.kind == "estimator":
        _check_estimator(run)
    elif record.model.spec is None:
        raise NotAsked("a module of the student's own code, which is only run with --run-code")
    else:
        _check_weights(run, record)
    return load_predictor(run, dataset=dataset).scores


def rescore(
    scorer: Scorer, record: RunRecord, images: Any, rows: NDArray[np.int64], sample: int | None
) -> Rescored:
    """The scores of test images.

    Args:
        images: `x_test` of the data set.
        rows: of `images`, in the order of the recorded answers.
        sample: how many of them at most, drawn by the run's name; None is all.
    """
    work = max(1, record.model.macs or 1)
    most = max(1, int(min(len(rows), MOST_WORK / work)))
    wanted = min(most, sample or most)
    chosen = np.arange(len(rows))
    note = ""
    if wanted < len(rows):
        seed = int.from_bytes(record.id.encode()[:64], "little")
        chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:wanted])
        note = f"asked again about {wanted:,} of {len(rows):,} test images"
    pieces = [scorer(np.asarray(images[rows[part]])) for part in _pieces(chosen, record.data.input_shape)]
    return Rescored(chosen, np.concatenate(pieces), note)


def _pieces(rows: NDArray[np.int64], shape: tuple[int, ...]) -> list[NDArray[np.int64]]:
    """So many at a time that they take some 256 MiB as float32."""
    size = max(100, 2**26 // max(1, math.prod(shape)))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _check_weights(run: RunFolder, record: RunRecord) -> None:
    """Refuse weights of another size before a network is built, which a record could make of any size."""
    from nablab.models.language import parse
    from nablab.models.shapes import trace

    rows = trace(parse(record.model.spec or ""), record.data.input_shape, len(record.data.classes))
    there = sum(int(value.size) for value in run.weights().values())
    if there < count(rows).parameters:
        raise UserError(
            f"its weights are {there:,} numbers, and {plain(record.model.spec, 80)} has "
            f"{count(rows).parameters:,} parameters"
        )


def _check_estimator(run: RunFolder) -> None:
    from nablab.runs.estimator_file import ESTIMATOR, FEATURES

    if (run.path / FEATURES).exists():
        raise NotAsked("it works on the features of another run")
    path = run.path / ESTIMATOR
    if not path.exists():
        return
    from skops.io import get_untrusted_types

    try:
        types = get_untrusted_types(data=path.read_bytes())
    except Exception as error:  # skops raises whatever its parts do on a damaged file
        raise UserError(f"its {ESTIMATOR} is damaged: {plain(error, 100)}") from error
    if any(name in types for name in _FETCHING):
        raise NotAsked("it works on the features of a frozen backbone")


def attempt(work: Callable[[], Any]) -> tuple[Any, str, str]:
    """Do `work` on others' files: its result, or why not asked (a note), or what is wrong (a finding)."""
    try:
        return work(), "", ""
    except NotAsked as reason:
        return None, str(reason), ""
    except NablabError as error:
        return None, "", plain(error)
    except Exception as error:  # whatever libraries raise on files that mean harm
        return None, "", f"{type(error).__name__}: {plain(error, 150)}"
