"""Fitted estimators come back from disk as they were, whatever classifier of scikit-learn they are."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from sklearn.utils.discovery import all_estimators

from nablab.data import load
from nablab.errors import UserError
from nablab.models.estimators import ESTIMATORS
from nablab.runs.estimator_file import read_estimator, write_estimator
from nablab.runs.record import RunRecord
from nablab.training.estimator_fit import with_shape

DATA = load("digits")
ROWS = np.arange(150)
X = np.asarray(DATA.x_train[ROWS]).reshape(150, -1).astype(np.float32) / 16
Y = DATA.y_train[ROWS]

#: Those of several labels or two classes only, or with another estimator that has no default, and those whose
#: file nablab does not write as skops.
OTHERS = {
    "ClassifierChain", "FixedThresholdClassifier", "KNeighborsClassifier", "MultiOutputClassifier",
    "OutputCodeClassifier", "SelfTrainingClassifier", "StackingClassifier", "TunedThresholdClassifierCV",
    "VotingClassifier", "RadiusNeighborsClassifier", "QuadraticDiscriminantAnalysis", "CategoricalNB",
}  # fmt: skip
SMALL = {"n_estimators": 3, "max_iter": 3, "max_iter_predict": 3}


def back(estimator: Any, folder: Path) -> Any:
    write_estimator(folder, estimator, ROWS, DATA)
    return read_estimator(folder, cast(RunRecord, None))


def same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    scores = "predict_proba" if hasattr(a, "predict_proba") else "decision_function"
    np.testing.assert_array_equal(getattr(a, scores)(X), getattr(b, scores)(X))


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "knn"])
def test_named_estimators(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = with_shape(ESTIMATORS[name].make(0), (1, 8, 8)).fit(X, Y)
    same(estimator, back(estimator, tmp_path))


@pytest.mark.parametrize(
    ("name", "owner"), [one for one in all_estimators(type_filter="classifier") if one[0] not in OTHERS]
)
def test_every_classifier(name: str, owner: Any, tmp_path: Path) -> None:
    inner = {"estimator": ESTIMATORS["logistic_regression"].make(0)} if name.startswith("OneVs") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = owner(**inner)
        estimator.set_params(**{key: value for key, value in SMALL.items() if key in estimator.get_params()})
        estimator.fit(X, Y)
        same(estimator, back(estimator, tmp_path))


def test_a_file_damaged_anywhere_is_refused_in_a_line(tmp_path: Path) -> None:
    back(ESTIMATORS["logistic_regression"].make(0).fit(X, Y), tmp_path)
    path, rng = tmp_path / "estimator.skops", np.random.default_rng(0)
    whole = path.read_bytes()
    refused = []
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_estimator(tmp_path, cast(RunRecord, None))
        except UserError as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert all(str(path) in line for line in refused)
