from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from nablab.data.dataset import Dataset, make_dataset
from nablab.errors import UserError
from nablab.models.model import Model
from nablab.runs.budget import fit
from nablab.runs.calibrate import calibrated, power_law
from nablab.runs.plan import Estimate, Plan, make_plan
from nablab.training.recipe import Recipe


@pytest.fixture
def plan(tmp_path: Path, squares: Dataset, network: Callable[..., Model]) -> Plan:
    """Three seeds of a quick and a slow network, 12 epochs: 3 x (1 + 12) + 3 x (1 + 12 x 10) = 402 s."""
    models = [network("quick"), network("slow")]
    planned = make_plan(models, squares, Recipe(epochs=12), out=tmp_path / "out", seeds=3, jobs=1)
    estimates = {("quick", 1.0): Estimate(1.0, 1.0, 100), ("slow", 1.0): Estimate(1.0, 10.0, 900)}
    return replace(planned, estimates=estimates)


def test_what_the_plan_takes(plan: Plan) -> None:
    assert plan.seconds == 402
    assert plan.memory_bytes == 900
    assert replace(plan, jobs=2).memory_bytes == 1800, "two seeds of the slow one may run together"
    assert replace(plan, jobs=9).memory_bytes == 3 * 1000
    assert replace(plan, estimates={}).seconds is None


@pytest.mark.parametrize(
    ("seconds", "epochs", "seeds", "labels", "changes"),
    [
        (402, 12, 3, ["quick", "slow"], ()),
        (401, 11, 3, ["quick", "slow"], ("11 epochs instead of 12",)),
        (138, 4, 3, ["quick", "slow"], ("4 epochs instead of 12",)),
        (137, 6, 2, ["quick", "slow"], ("6 epochs instead of 12", "2 instead of 3 seeds (0, 1)")),
        (46, 4, 1, ["quick", "slow"], ("4 epochs instead of 12", "1 instead of 3 seeds (0)")),
        (45, 12, 1, ["quick"], ("1 instead of 3 seeds (0)", "without slow, about 41 s a seed")),
        (5, 4, 1, ["quick"], ("4 epochs instead of 12", "1 instead of 3 seeds (0)",
                              "without slow, about 41 s a seed")),
    ],
)  # fmt: skip
def test_first_epochs_then_seeds_then_models(
    plan: Plan, seconds: float, epochs: int, seeds: int, labels: list[str], changes: tuple[str, ...]
) -> None:
    fitted = fit(plan, seconds)
    assert (fitted.recipe.epochs, len(fitted.seeds)) == (epochs, seeds)
    assert [model.label for model in fitted.models] == labels
    assert fitted.changes == changes
    assert fitted.seconds is not None
    assert fitted.seconds <= seconds


def test_fitting_is_quick_however_much_is_planned(plan: Plan, network: Callable[..., Model]) -> None:
    models = tuple(network(f"n{number}") for number in range(20))
    large = replace(
        plan,
        models=models,
        recipe=plan.recipe.but(epochs=1000),
        seeds=tuple(range(10)),
        estimates={(model.label, 1.0): Estimate(1.0, 1.0, 1) for model in models},
    )
    began = perf_counter()
    fitted = fit(large, 700)
    assert (fitted.recipe.epochs, len(fitted.seeds), len(fitted.models)) == (349, 1, 2)
    assert perf_counter() - began < 2


def test_too_little_for_anything(plan: Plan) -> None:
    with pytest.raises(UserError, match="even quick alone takes about 5 s"):
        fit(plan, 4)


def test_calibration_gives_times_that_grow_with_the_work(
    tmp_path: Path, squares: Dataset, network: Callable[..., Model]
) -> None:
    from nablab.models.reference import resolve

    models = [network("small"), network("large", "32C3-ReLU-32C3-ReLU-32C3-ReLU-K"), resolve("knn")]
    recipe = Recipe(batch_size=8, threads=1)
    plan = make_plan(models, squares, recipe, out=tmp_path / "out", fractions=[0.2, 1.0], jobs=1)
    estimates = calibrated(plan).estimates
    assert set(estimates) == {(m.label, f) for m in models for f in (0.2, 1.0)}
    assert estimates["large", 1.0].epoch_seconds > estimates["small", 1.0].epoch_seconds > 0
    assert estimates["large", 1.0].epoch_seconds > estimates["large", 0.2].epoch_seconds
    assert estimates["large", 1.0].memory_bytes > estimates["small", 1.0].memory_bytes
    assert estimates["knn", 1.0].epoch_seconds == 0
    assert estimates["knn", 1.0].fixed_seconds > 0
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folds", [5, 40])
def test_estimators_that_need_more_images_are_timed_on_more(
    tmp_path: Path, network: Callable[..., Model], folds: int
) -> None:
    """Of a hundred classes the first 256 images hold two or three each: too few for five parts."""
    from nablab.models.reference import resolve

    y = np.tile(np.arange(100), 40)
    x = np.random.default_rng(0).integers(0, 255, (4000, 1, 2, 2)).astype(np.uint8)
    classes = tuple(map(str, range(100)))
    data = make_dataset("many", x[:3000], y[:3000], x[3000:], y[3000:], classes, source="here")
    inner = "sklearn.naive_bayes.GaussianNB()"
    calibrating: Any = resolve(f"sklearn.calibration.CalibratedClassifierCV(estimator={inner},cv={folds})")
    neighbours: Any = resolve("sklearn.neighbors.KNeighborsClassifier(n_neighbors=300)")
    plan = make_plan([calibrating, neighbours], data, Recipe(threads=1), out=tmp_path / "out", jobs=1)
    estimates = calibrated(plan).estimates
    assert (estimates[calibrating.label, 1.0].fixed_seconds > 0) == (folds == 5)
    assert estimates[neighbours.label, 1.0].fixed_seconds > 0


def test_a_power_law_stays_within_its_exponents() -> None:
    for seconds in ([1.0, 0.1], [1.0, 1e6]):
        at_1000 = power_law([10, 100], seconds, (1, 2))(1000)
        assert seconds[1] * 10 <= at_1000 * (1 + 1e-9)
        assert at_1000 <= seconds[1] * 100 * (1 + 1e-9)
    assert power_law([100], [1.0], (1, 2))(400) == pytest.approx(8.0)


@pytest.mark.parametrize(("second", "sizes"), [(1e-6, [256, 768, 1439]), (4e-3, [256, 768]), (0.1, [256])])
def test_estimators_are_timed_on_as_many_images_as_there_is_time_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: float, sizes: list[int]
) -> None:
    """A fit that takes so many seconds an image: what is told of all of them is that line."""
    from nablab.data import load
    from nablab.models.reference import resolve
    from nablab.training import estimator_fit

    really, timed = estimator_fit.fit, []

    def fit(model: Model, data: Any, recipe: Recipe) -> Any:
        timed.append(len(data.train))
        return replace(really(model, data, recipe), fit_seconds=second * len(data.train))

    monkeypatch.setattr(estimator_fit, "fit", fit)
    recipe = Recipe(validation=0.0, threads=1)
    plan = make_plan([resolve("linear_svc")], load("digits"), recipe, out=tmp_path / "out", seeds=1, jobs=1)
    (estimate,) = calibrated(plan).estimates.values()
    assert timed == sizes
    if len(sizes) > 1:
        assert estimate.fixed_seconds == pytest.approx(second * 1439, abs=1.0)
