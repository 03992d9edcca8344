"""Published figures: which, that each reference names a model, and when theirs lies within ours."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nablab.analysis.board import load_board
from nablab.analysis.published import BOARDS, FASHION_MNIST, RECIPES, Figure
from nablab.analysis.reproduction import hold_against, interval
from nablab.models.reference import resolve
from nablab.models.shapes import trace
from nablab.training.recipe import preset

#: The tables as they were published, in their own words: fraction, accuracy, h:min:s or seconds.
TABLES = """
Net_Linear 0.01 66.5% 1.03 | 0.1 80.2% 3.7 | 1 83.7% 58.4
LeNet_tiny 0.01 55.0% 1.95 | 0.1 79.8% 7.7 | 1 87.4% 129.2
LeNet 0.01 73.7% 6.15 | 0.1 83.7% 30.9 | 1 91.2% 536.0
FashionCNN 0.01 72.8% 4.75 | 0.1 83.7% 27.4 | 1 89.7% 454.7
SVC 1 0.897 1:12:39
RandomForestClassifier 1 0.879 0:08:39
MLPClassifier 1 0.877 0:16:03
KNeighborsClassifier 1 0.860 0:41:53
LinearSVC 1 0.837 0:44:59
2_conv,_<_100K_parameters 1 0.925 ?
MobileNet 1 0.950 ?
ResNet18 1 0.949 ?
WRN-40-4 1 0.967 ?
Google_AutoML 1 0.939 24:00:00
"""


def read_time(text: str) -> float | None:
    if text == "?":
        return None
    seconds = 0.0
    for part in text.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def test_the_figures_are_those_of_the_tables() -> None:
    lines = TABLES.strip().splitlines()
    assert len(lines) == len(FASHION_MNIST)
    for line, row in zip(lines, FASHION_MNIST, strict=True):
        title, _, rest = line.partition(" ")
        assert title.replace("_", " ") == row.title.replace("_", " ")
        published = [part.split() for part in rest.split("|")]
        assert len(published) == len(row.figures)
        for (fraction, accuracy, time), figure in zip(published, row.figures, strict=True):
            value = float(accuracy.rstrip("%")) / (100 if "%" in accuracy else 1)
            assert (figure.fraction, figure.seconds) == (float(fraction), read_time(time))
            assert figure.accuracy == pytest.approx(value)
            assert round(figure.accuracy, figure.digits) == figure.accuracy


@pytest.mark.parametrize("row", FASHION_MNIST, ids=lambda row: row.name)
def test_every_reference_names_a_model_or_says_why_not(row) -> None:
    assert bool(row.reference) is not bool(row.missing)
    recipe = RECIPES[row.recipe]
    assert preset(recipe.preset).but(**recipe.changes).validation == 0, "theirs had all training images"
    if row.reference:
        model = resolve(row.reference)
        if model.spec is not None:
            parameters = sum(layer.parameters for layer in trace(model.spec, (1, 28, 28), 10))
            assert ("< 100K" not in row.title) or parameters < 100_000
            assert ("8.9 M" not in row.detail) or parameters == pytest.approx(8.9e6, rel=0.01)


def test_names_are_unique_and_every_recipe_is_used() -> None:
    assert len({row.name for row in FASHION_MNIST}) == len(FASHION_MNIST)
    assert {row.recipe for row in FASHION_MNIST} == set(RECIPES)
    assert set(BOARDS) == {"fashion-mnist"}


def test_the_interval_holds_95_of_100_further_runs() -> None:
    """Seeds drawn from a normal law, four seen and one to come, 4,000 times."""
    rng = np.random.default_rng(0)
    runs = 0.9 + 0.01 * rng.normal(size=(4000, 5))
    exact = Figure(1.0, 0.9, 9)
    inside = 0
    for *ours, theirs in runs.tolist():
        low, high = interval(ours, exact)
        inside += low <= theirs <= high
    assert inside / 4000 == pytest.approx(0.95, abs=0.012)


def test_the_interval_by_hand() -> None:
    low, high = interval([0.8, 0.82, 0.84], Figure(1.0, 0.9, 3))
    half = stats.t.ppf(0.975, 2) * 0.02 * np.sqrt(4 / 3) + 0.0005
    assert (low, high) == (pytest.approx(0.82 - half), pytest.approx(0.82 + half))
    # Without chance: rounding is all there is, and the test images where one saw a tenth of them only.
    assert interval([0.8], Figure(1.0, 0.9, 3), seeded=False) == (
        pytest.approx(0.7995),
        pytest.approx(0.8005),
    )
    for theirs, ours in ((1000, 10_000), (10_000, 1000)):
        low, high = interval([0.8], Figure(1.0, 0.9, 3, None, theirs), test_images=ours, seeded=False)
        assert high - 0.8 == pytest.approx(0.0005 + 1.96 * np.sqrt(0.16 * 0.0009), rel=2e-3)
        assert 0.8 - low == pytest.approx(high - 0.8)
    assert interval([0.8], Figure(1.0, 0.9, 3)) is None


@pytest.mark.parametrize(("published", "standing"), [(0.77, "within"), (0.3, "above"), (0.999, "below")])
def test_theirs_is_within_below_or_above_ours(factory, tmp_path, published: float, standing: str) -> None:
    folder = factory.write_comparison(tmp_path, [factory.BIG, factory.NEAREST], n_test=10_000)
    runs = {entry.label: entry.runs for entry in load_board([folder]).entries}
    figure = Figure(0.1, published, 3)
    one = hold_against(FASHION_MNIST[2], figure, tuple(reversed(runs["lenet"])))
    assert one.standing == standing
    assert [run.seed for run in one.runs] == [0, 1, 2]
    assert one.accuracy == pytest.approx(np.mean(one.accuracies))
    assert one.deviation == pytest.approx(np.std(one.accuracies, ddof=1))
    lone = hold_against(FASHION_MNIST[2], figure, runs["lenet"][:1])
    assert (lone.standing, lone.low, lone.deviation) == ("open", None, None)
    sure = hold_against(FASHION_MNIST[7], figure, runs["knn"])
    assert sure.standing != "open", "nothing of it is chance"
