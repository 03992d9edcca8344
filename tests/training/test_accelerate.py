"""`--fast`, with a stand-in for scikit-learn-intelex, which is no dependency.

It is like it in what matters: classes of the same names in `sklearnex`, which keep an object that cannot be
stored, and numbers of other types than scikit-learn reads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.svm
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops.io import dumps, get_untrusted_types

from nablab.errors import RunFailed, UserError
from nablab.models.reference import resolve
from nablab.training.accelerate import accelerated, plain
from nablab.training.estimator_fit import fit
from nablab.training.feed import TrainingData
from nablab.training.recipe import Recipe

DataFor = Callable[[Recipe], TrainingData]
RECIPE = Recipe(seed=5)


class OfTheLibrary:
    """Stands for what only scikit-learn-intelex can read."""

    def __init__(self, fitted: Any) -> None:
        self.fitted = fitted


class StandInSVC(sklearn.svm.SVC):  # type: ignore[misc]
    __module__ = "sklearnex.svm"

    def fit(self, X: Any, y: Any) -> StandInSVC:
        super().fit(X, y)
        params = self.get_params()
        self._onedal_estimator = OfTheLibrary(sklearn.svm.SVC(**params).fit(X, y))
        self.support_ = self.support_.astype(np.int64)  # as there: libsvm would refuse it
        self._n_support = self._n_support.astype(np.int64)
        return self

    def decision_function(self, X: Any) -> Any:
        return self._onedal_estimator.fitted.decision_function(X)

    def predict(self, X: Any) -> Any:
        return self._onedal_estimator.fitted.predict(X)


StandInSVC.__name__ = StandInSVC.__qualname__ = "SVC"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    package, svm = ModuleType("sklearnex"), ModuleType("sklearnex.svm")
    svm.SVC = StandInSVC  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sklearnex", package)
    monkeypatch.setitem(sys.modules, "sklearnex.svm", svm)
    return svm


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sklearnex", "sklearnex.svm"):
        monkeypatch.setitem(sys.modules, name, None)


def test_it_is_used_where_it_is_installed_and_says_so(installed: ModuleType, data_for: DataFor) -> None:
    data = data_for(RECIPE)
    fast, slow = (fit(resolve(name), data, RECIPE) for name in ("fast:svc", "svc"))
    assert isinstance(fast.estimator, StandInSVC)
    assert fast.estimator.get_params() == slow.estimator.get_params()
    assert "--fast: fitted by scikit-learn-intelex" in fast.remarks[0]
    assert type(fast.stored) is sklearn.svm.SVC
    assert get_untrusted_types(data=dumps(fast.stored)) == []
    x = data.test.all()
    np.testing.assert_allclose(fast.scores(x), slow.scores(x), rtol=1e-6)
    features = x.reshape(len(x), -1)
    np.testing.assert_allclose(
        fast.stored.decision_function(features), slow.estimator.decision_function(features), rtol=1e-6
    )


def test_it_fits_every_setting_of_a_choice(installed: ModuleType, data_for: DataFor) -> None:
    fitted = fit(resolve("fast:sklearn.svm.SVC(C=0.01|10)"), data_for(RECIPE), RECIPE)
    assert isinstance(fitted.estimator, StandInSVC)
    assert len(fitted.tried) == 2
    assert len(fitted.remarks) == 1


def test_without_it_scikit_learn_fits_and_says_so(missing: None, data_for: DataFor) -> None:
    fitted = fit(resolve("fast:svc"), data_for(RECIPE), RECIPE)
    assert type(fitted.estimator) is sklearn.svm.SVC
    assert fitted.remarks == ("--fast: scikit-learn-intelex is not installed; scikit-learn fitted it",)


def test_what_it_cannot_do_is_said(installed: ModuleType) -> None:
    estimator, said = accelerated(sklearn.svm.LinearSVC())
    assert type(estimator) is sklearn.svm.LinearSVC
    assert said == "--fast: scikit-learn-intelex does not do LinearSVC for nablab; scikit-learn fitted it"


def test_the_last_of_a_pipeline_is_replaced_and_moved_back(installed: ModuleType) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(3, size=60)
    pipeline, _ = accelerated(make_pipeline(StandardScaler(), sklearn.svm.SVC()))
    assert isinstance(pipeline.fit(x, y)[-1], StandInSVC)
    said = pipeline.decision_function(x)
    moved = plain(pipeline, x, y)
    assert type(moved[-1]) is sklearn.svm.SVC
    np.testing.assert_allclose(moved.decision_function(x), said)


def test_numbers_that_do_not_fit_are_noticed(installed: ModuleType) -> None:
    class Wrong(StandInSVC):
        def decision_function(self, X: Any) -> Any:
            return super().decision_function(X) + 0.1

    Wrong.__module__, Wrong.__name__ = "sklearnex.svm", "SVC"
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(3, size=60)
    with pytest.raises(RunFailed, match="leave out --fast"):
        plain(Wrong().fit(x, y), x, y)


def test_the_reference_keeps_it() -> None:
    model = resolve("fast:sklearn.svm.SVC(C=3)")
    assert (model.label, model.reference, model.fast) == ("svc_c_3-fast", "fast:sklearn.svm.SVC(C=3)", True)
    assert resolve(model.reference).reference == model.reference
    for wrong in ("fast:lenet", "fast:", "fast:fast:svc", "numpy:fast:svc"):
        with pytest.raises(UserError):
            resolve(wrong)


def test_a_run_with_it_can_be_stored_and_predicts(installed: ModuleType, tmp_path: Path) -> None:
    import nablab

    nablab.train("fast:svc", "digits", out=tmp_path / "run", progress=False)
    folder = next(tmp_path.rglob("estimator.skops")).parent
    from nablab.runs.predict import load_predictor

    predictor = load_predictor(folder)
    dataset = nablab.load("digits")
    said = predictor.scores(np.asarray(dataset.x_test[:50])).argmax(axis=1)
    assert np.mean(said == dataset.y_test[:50]) > 0.9
