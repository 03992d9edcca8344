"""What a layer of an earlier run makes of images, for methods that work on it: `knn@RUN:layer`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from nablab.data.dataset import Dataset
from nablab.data.preprocess import Preprocessing
from nablab.data.split import Split, split
from nablab.errors import UserError, did_you_mean
from nablab.models.model import FeatureSource, Model
from nablab.runs.record import RunRecord
from nablab.runs.store import WEIGHTS, RunFolder, find_runs


def bound(model: Model, dataset: Dataset) -> Model:
    """The model, working on the features that it names; others as they are.

    Raises:
        UserError: no such run or layer, a run that is no network's or has not finished, other images; a
            module whose file is gone, has changed, or was never named by its user.
    """
    source = model.features
    if source is None:
        return model
    record = _usable(source, dataset)
    assert model.estimator is not None
    return replace(
        model,
        estimator=_after(source, model.estimator),
        settings=tuple(replace(one, make=_after(source, one.make)) for one in model.settings),
        preprocessing=Preprocessing.from_dict(record.preprocessing),
    )


def leaks(source: FeatureSource, dataset: Dataset, cut: Split) -> tuple[str, ...]:
    """What must be said of features that were learned from other images than the method sees.

    Test images never train; validation images of one run may be training images of another.

    Args:
        cut: the rows of the run that uses the features.
    """
    record = run_folder(source.run).record()
    name = f"the features of {record.id}"
    if record.data.fingerprint != dataset.fingerprint:
        return (
            f"{name} were learned on other data ({record.data.name}, {record.data.n_train:,} images); "
            "whether these test images were among them is not known",
        )
    theirs = split(
        dataset,
        fraction=record.data.fraction,
        validation=float(record.recipe["validation"]),
        split_seed=int(record.recipe["split_seed"]),
    ).train
    lines = []
    beyond = int(np.sum(~np.isin(theirs, cut.train)))
    if beyond:
        lines.append(
            f"{name} were learned from {len(theirs):,} images, {beyond:,} of which this method was not "
            f"given: its accuracy is not that of {len(cut.train):,} images"
        )
    if seen := int(np.sum(np.isin(cut.validation, theirs))):
        lines.append(
            f"{name} were learned from {seen:,} of the {len(cut.validation):,} validation images: what those "
            "say, and choose, is too good"
        )
    return tuple(lines)


def weights_hash(folder: RunFolder) -> str:
    """SHA-256 of the weights of a run.

    Raises:
        UserError: it has none.
    """
    try:
        return hashlib.sha256((folder.path / WEIGHTS).read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {folder.path / WEIGHTS}: {error.strerror}") from error


def _after(source: FeatureSource, make: Callable[[int], Any]) -> Callable[[int], Any]:
    return partial(_pipeline, source, make)


def _pipeline(source: FeatureSource, make: Callable[[int], Any], seed: int) -> Any:
    from sklearn.pipeline import Pipeline

    from nablab.runs.layer_features import LayerFeatures

    head = make(seed)
    steps = head.steps if hasattr(head, "steps") else [("head", head)]
    return Pipeline([("features", LayerFeatures(source.run, source.layer)), *steps])


def _usable(source: FeatureSource, dataset: Dataset) -> RunRecord:
    run = run_folder(source.run)
    record = run.record()
    if record.model.kind == "estimator":
        raise UserError(f"{source.run} is a run of {record.model.label}, which has no layers")
    if record.status != "done":
        raise UserError(f"the run in {source.run} is {record.status}, not done; let it finish first")
    if record.data.input_shape != dataset.input_shape:
        shapes = record.data.input_shape, dataset.input_shape
        theirs, ours = (" x ".join(map(str, shape)) for shape in shapes)
        raise UserError(f"{source.run} takes images of {theirs}, and {dataset.name} has {ours}")
    layers = [row.path for row in record.model.layers]
    if source.layer not in layers:
        raise UserError(f"{source.run} has no layer {source.layer}{did_you_mean(source.layer, layers)}")
    if record.model.kind == "module":
        from nablab.runs.predict import find_module

        find_module(run, record)
    return record


def run_folder(run: str) -> RunFolder:
    """The run in a folder.

    Raises:
        UserError: none, or several.
    """
    runs = find_runs(run)
    if len(runs) > 1:
        raise UserError(f"{run} holds {len(runs)} runs; name one of them, for example {runs[0].path}")
    return runs[0]
