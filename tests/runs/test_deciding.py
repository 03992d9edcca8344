"""The neighbours that decided: those of scikit-learn, stored with their pictures, drawn in the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

import nablab
from nablab.analysis.results import load_results
from nablab.data import load
from nablab.data.preprocess import Preprocessing
from nablab.data.split import split
from nablab.report.html import render_html
from nablab.report.view import comparison_view
from nablab.runs.deciding import OF_EACH, choose_tests, read_deciding
from nablab.runs.store import find_runs

DATA = load("digits")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("deciding") / "results"
    methods = ["knn(k=3,metric=l1)", "sklearn.neighbors.KNeighborsClassifier(n_neighbors=3,p=1)", "svc"]
    nablab.compare(methods, "digits", fractions=[0.1], out=out, progress=False)
    return out


@pytest.mark.parametrize("place", [0, 1])
def test_they_are_the_nearest_training_images(results: Path, place: int) -> None:
    run = find_runs(results)[place]
    kept, stored = read_deciding(run.path), run.predictions()
    assert kept is not None
    rows = split(DATA, fraction=0.1, validation=0.1, split_seed=0).train
    fitted = Preprocessing.from_dict(run.record().preprocessing)
    train, test = (
        fitted.apply(np.asarray(x)).reshape(len(x), -1) for x in (DATA.x_train[rows], DATA.x_test[kept.tests])
    )
    theirs = KNeighborsClassifier(3, p=1, algorithm="brute").fit(train.astype(float), DATA.y_train[rows])
    distances, places = theirs.kneighbors(test.astype(float))
    np.testing.assert_allclose(kept.distances, distances, rtol=1e-5)
    np.testing.assert_array_equal(kept.neighbours, DATA.train_ids[rows[places]])
    np.testing.assert_array_equal(kept.labels, DATA.y_train[rows[places]])
    np.testing.assert_array_equal(kept.stored, np.asarray(DATA.x_train)[rows[places]])
    np.testing.assert_array_equal(kept.pictures, np.asarray(DATA.x_test)[kept.tests])
    said = dict(zip(stored.indices.tolist(), stored.scores.argmax(axis=1).tolist(), strict=True))
    assert [said[index] for index in kept.tests.tolist()] == kept.said.tolist()


def test_others_ask_none(results: Path) -> None:
    assert read_deciding(find_runs(results)[2].path) is None


def test_wrong_answers_come_first_and_each_of_another_class() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=400)
    said = np.where(rng.random(400) < 0.7, y, (y + 1) % 10)
    chosen = choose_tests(y, said)
    right = said[chosen] == y[chosen]
    assert right.tolist() == [False] * OF_EACH + [True] * OF_EACH
    for part in (chosen[~right], chosen[right]):
        assert len(set(y[part])) == OF_EACH
    assert choose_tests(y, y).tolist() == choose_tests(y, y)[:OF_EACH].tolist()


def test_the_report_draws_them(results: Path) -> None:
    view = comparison_view(load_results(results))
    text = render_html(view)
    shown = [case for one in view.sections for case in one.deciding]
    assert text.count('<figure class="decided') == len(shown) > 0
    assert text.count('class="voted"') == sum(
        near.label == case.prediction for case in shown for near in case.neighbours
    )
    first = shown[0].neighbours[0]
    assert f'alt="training image {first.index}, {first.label}"' in text
    assert f"<small>{first.distance:.3g}</small>" in text
