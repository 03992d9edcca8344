from collections.abc import Callable

import numpy as np
import pytest

from nablab.data.dataset import Dataset, make_dataset
from nablab.models.language import parse
from nablab.models.model import LayerRow, Model
from nablab.runs.record import DataRecord, Environment, ModelRecord, RunRecord, Totals
from nablab.training.signals import EpochMetrics


@pytest.fixture
def record() -> RunRecord:
    """A finished run of one linear layer, with every kind of field in it."""
    return RunRecord(
        id="net_linear-f0.1-s0",
        status="done",
        created="2025-01-31T12:00:00+00:00",
        model=ModelRecord(
            label="net_linear",
            reference="net_linear",
            kind="network",
            detail="K",
            score_kind="logits",
            parameters=650,
            macs=640,
            flops=1280,
            spec="K",
            layers=(LayerRow("0", "K", (1, 8, 8), (10,), 650, 640),),
        ),
        data=DataRecord(
            name="digits",
            source="scikit-learn",
            fingerprint="0" * 64,
            classes=tuple("0123456789"),
            input_shape=(1, 8, 8),
            fraction=0.1,
            test_fraction=1.0,
            n_train=126,
            n_validation=14,
            n_test=360,
            train_total=1437,
            reference="digits",
        ),
        recipe={"epochs": 2, "lr": 0.001},
        environment=Environment("0.1.0", "3.11", "Linux", "a CPU", 2, 8.0, "cpu", 1, 1, {"numpy": "2.0"}),
        preprocessing={"kind": "standardize"},
        totals=Totals(
            epochs=2,
            steps=4,
            train_seconds=0.5,
            wall_seconds=1.0,
            test_accuracy=0.9,
            test_loss=0.3,
            kept_epoch=2,
        ),
    )


@pytest.fixture
def measured() -> Callable[[int], EpochMetrics]:
    """The measurements of an epoch, by its number."""

    def of(epoch: int) -> EpochMetrics:
        return EpochMetrics(
            epoch=epoch,
            step=10 * epoch,
            lr=1e-3 / epoch,
            running_loss=1.5,
            running_accuracy=0.4,
            train_loss=1.4,
            train_accuracy=0.5,
            validation_loss=None,
            validation_accuracy=None,
            test_loss=1 / 3,
            test_accuracy=0.45,
            train_seconds=0.1 * epoch,
            wall_seconds=0.2 * epoch,
        )

    return of


@pytest.fixture(scope="session")
def squares() -> Dataset:
    """Three classes of 6x6 pictures, a bright row in each, under noise: learned in a few steps."""
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(3), 60)
    x = rng.integers(0, 120, (len(y), 1, 6, 6))
    for row in range(3):
        x[y == row, :, 2 * row] += 100
    pixels = x.astype(np.uint8)
    return make_dataset(
        "squares", pixels[:120], y[:120], pixels[120:], y[120:], ("low", "middle", "high"), source="made here"
    )


@pytest.fixture(scope="session")
def network() -> Callable[..., Model]:
    """A network by its label and layer string, without going through names."""

    def of(label: str = "lin", text: str = "K", **rest: object) -> Model:
        return Model(label=label, reference=label, kind="network", detail=text, spec=parse(text), **rest)

    return of
