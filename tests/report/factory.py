"""Comparisons that nobody trained: folders as `nablab.runs` writes them, filled with drawn numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tomli_w

from nablab.models.model import LayerRow, ModelKind, ScoreKind, SourceFile, Tried
from nablab.runs.planned import run_id
from nablab.runs.record import (
    DataRecord,
    Environment,
    Failure,
    ModelRecord,
    RunRecord,
    Totals,
)
from nablab.runs.store import Examples, Predictions, RunFolder
from nablab.training.recipe import Recipe
from nablab.training.signals import EpochMetrics

CLASSES = ("T-shirt", "Trouser", "Pullover & co", "Dress_long")
EPOCHS = 4

LENET_LAYERS = (
    LayerRow("0", "8C5p0", (1, 12, 12), (8, 8, 8), 208, 12_800),
    LayerRow("1", "ReLU", (8, 8, 8), (8, 8, 8), 0, 0),
    LayerRow("2", "MaxPool2", (8, 8, 8), (8, 4, 4), 0, 0),
    LayerRow("3", "Flatten", (8, 4, 4), (128,), 0, 0),
    LayerRow("4", "K", (128,), (4,), 516, 512),
)


@dataclass(frozen=True)
class Fake:
    """A model: how good it is (larger is better), how much its seeds differ, and what it says it costs."""

    label: str
    skill: float
    kind: ModelKind = "network"
    spread: float = 0.05
    parameters: int | None = 1_000
    macs: int | None = 5_000
    seconds: float = 2.0
    score_kind: ScoreKind = "logits"
    seeded: bool = True
    detail: str = ""
    layers: tuple[LayerRow, ...] = LENET_LAYERS
    source_file: SourceFile | None = None
    reference: str = ""
    counted: str = ""
    remarks: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()


BIG = Fake(
    "lenet", 1.8, parameters=431_080, macs=2_293_000, seconds=12.0, detail="20C5p0-ReLU-MaxPool2-500-ReLU-K"
)
SMALL = Fake(
    "lenet_tiny", 1.78, parameters=109_295, macs=600_000, seconds=4.0, detail="10C5p0-ReLU-MaxPool2-K"
)
LINEAR = Fake("net_linear", 0.6, parameters=580, macs=576, seconds=0.8, detail="K", layers=LENET_LAYERS[3:])
NEAREST = Fake(
    "knn", 0.9, "estimator", parameters=None, macs=None, seconds=0.01, score_kind="probabilities",
    seeded=False, detail="KNeighborsClassifier(n_neighbors=5, p=1)", layers=(),
)  # fmt: skip
MARGINS = Fake(
    "linear_svc", 0.5, "estimator", parameters=580, macs=None, seconds=0.3, score_kind="margins",
    detail="LinearSVC(C=1)", layers=(),
)  # fmt: skip
OWN = Fake(
    "MyNet", 1.2, "module", parameters=2_000, detail="my_net.py:MyNet",
    reference="/home/someone/my_net.py:MyNet",
    source_file=SourceFile("/home/someone/my_net.py", "ab" * 32, "0123456789abcdef", True),
)  # fmt: skip
MODELS = (BIG, SMALL, LINEAR, NEAREST, MARGINS, OWN)


def write_comparison(
    folder: Path,
    models: Sequence[Fake] = MODELS,
    *,
    fractions: Sequence[float] = (0.1,),
    seeds: Sequence[int] = (0, 1, 2),
    n_test: int = 400,
    shape: tuple[int, ...] = (1, 12, 12),
    failed: Collection[tuple[str, int]] = (),
    jobs: dict[str, int] | None = None,
    recipe: Recipe | None = None,
    name: str = "fashion-mnist",
) -> Path:
    """A comparison folder; `failed` are (label, seed) pairs of runs that diverged. The folder itself."""
    recipe = recipe or Recipe(epochs=EPOCHS)
    for model in models:
        for fraction in fractions:
            for seed in seeds if model.seeded else seeds[:1]:
                run = RunFolder(folder / "runs" / run_id(model.label, fraction, seed))
                data = _data(name, fraction, n_test, shape)
                broken = (model.label, seed) in failed
                _write_run(run, model, data, recipe.but(seed=seed), (jobs or {}).get(model.label, 1), broken)
    experiment = {
        "models": [model.reference or model.label for model in models],
        "fractions": list(fractions),
        "seeds": list(seeds),
        "jobs": 1,
        "data": {"name": name},
        "recipe": recipe.to_dict(),
    }
    (folder / "experiment.toml").write_text(tomli_w.dumps(experiment), encoding="utf-8")
    return folder


def _data(name: str, fraction: float, n_test: int, shape: tuple[int, ...]) -> DataRecord:
    whole = round(60_000 * fraction)
    return DataRecord(
        name=name, source="drawn by the tests", fingerprint="f0" * 32, classes=CLASSES, input_shape=shape,
        fraction=fraction, test_fraction=1.0, n_train=whole - whole // 10, n_validation=whole // 10,
        n_test=n_test, train_total=60_000,
    )  # fmt: skip


def _write_run(
    run: RunFolder, model: Fake, data: DataRecord, recipe: Recipe, jobs: int, broken: bool
) -> None:
    predictions = _predictions(model, data, recipe.seed)
    totals = None if broken else _totals(model, data, predictions)
    record = RunRecord(
        id=run.path.name,
        status="failed" if broken else "done",
        created="2026-01-02T03:04:05+00:00",
        model=_model(model),
        data=data,
        recipe=recipe.to_dict(),
        environment=Environment(
            "0.1.0", "3.11.9", "Linux x86_64", "A processor", 2, 7.8, "cpu", 1, jobs, {"numpy": "2.4.6"}
        ),
        totals=totals,
        remarks=model.remarks,
        tried=model.tried,
        failure=Failure("the loss is not finite; try a lower lr", "diverged", 2, 57) if broken else None,
    )
    run.write_record(record)
    if model.kind != "estimator":
        for epoch in range(1, 3 if broken else EPOCHS + 1):
            run.append_metrics(_epoch(model, data, recipe.seed, epoch))
    if not broken:
        run.write_predictions(predictions)
        run.write_examples(_examples(data, predictions))


def _model(model: Fake) -> ModelRecord:
    return ModelRecord(
        label=model.label, reference=model.reference or model.label, kind=model.kind, detail=model.detail,
        score_kind=model.score_kind, parameters=model.parameters, macs=model.macs,
        flops=None if model.macs is None else 2 * model.macs,
        spec="8C5p0-ReLU-MaxPool2-K" if model.kind == "network" else None,
        layers=model.layers, source_file=model.source_file, seeded=model.seeded,
        counted=model.counted,
    )  # fmt: skip


def _rng(*key: object) -> np.random.Generator:
    return np.random.default_rng([sum(map(ord, str(part))) * 7919 + len(str(part)) for part in key])


def _predictions(model: Fake, data: DataRecord, seed: int) -> Predictions:
    """Truth, ability and difficulty of the image, noise of the seed: right where the sum is above others."""
    images = _rng("images")
    y = images.integers(len(CLASSES), size=data.n_test)
    difficulty = images.normal(size=data.n_test)
    noise = _rng(model.label, seed, data.fraction)
    scores = noise.gumbel(size=(data.n_test, len(CLASSES))) * 0.3
    scores[np.arange(data.n_test), (y + 1) % len(CLASSES)] += 0.5
    skill = model.skill + model.spread * noise.normal() + 0.3 * np.log10(data.fraction)
    scores[np.arange(data.n_test), y] += skill + difficulty
    if model.score_kind == "probabilities":
        scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    indices = np.arange(100, 100 + data.n_test)
    return Predictions(y.astype(np.int64), scores.astype(np.float32), indices.astype(np.int64))


def _totals(model: Fake, data: DataRecord, predictions: Predictions) -> Totals:
    accuracy = float(np.mean(predictions.scores.argmax(axis=1) == predictions.y))
    estimator = model.kind == "estimator"
    seconds = model.seconds * data.fraction * 10
    return Totals(
        epochs=0 if estimator else EPOCHS,
        steps=0 if estimator else 40,
        train_seconds=seconds,
        wall_seconds=seconds * 1.5,
        test_accuracy=accuracy,
        test_loss=None if model.score_kind == "margins" else 1 - accuracy / 2,
        predict_seconds_1=model.seconds * 1e-4,
        predict_seconds_256=model.seconds * 1e-5,
        kept_epoch=None if estimator else EPOCHS,
        kept="fit" if estimator else "last",
        size_bytes=None if model.parameters is None else 4 * model.parameters,
    )


def _epoch(model: Fake, data: DataRecord, seed: int, epoch: int) -> EpochMetrics:
    noise = 0.02 * float(_rng(model.label, seed, epoch).normal())
    loss = 1.4 / (epoch * model.skill) + noise
    accuracy = 0.9 - 0.4 / (epoch * model.skill) + noise
    return EpochMetrics(
        epoch=epoch, step=10 * epoch, lr=0.003, running_loss=loss + 0.2, running_accuracy=accuracy - 0.1,
        train_loss=loss, train_accuracy=accuracy, validation_loss=loss + 0.05,
        validation_accuracy=accuracy - 0.02, test_loss=loss + 0.07, test_accuracy=accuracy - 0.03,
        train_seconds=model.seconds * epoch / EPOCHS, wall_seconds=2 * model.seconds * epoch / EPOCHS,
    )  # fmt: skip


def _examples(data: DataRecord, predictions: Predictions) -> Examples:
    """Every fourth image: a bright bar whose place is the class."""
    rows = np.arange(0, data.n_test, 4)
    images = _rng("pixels").integers(0, 80, size=(len(rows), *data.input_shape)).astype(np.uint8)
    if images.ndim == 4:
        for image, y in zip(images, predictions.y[rows], strict=True):
            image[:, :, 2 * y : 2 * y + 3] = 220
    return Examples(images, predictions.indices[rows])
