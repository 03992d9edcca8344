"""Classifiers of scikit-learn by their path: made as they would be by hand, or refused in a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import ClassifierMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.discovery import all_estimators

from nablab.errors import UserError
from nablab.models.estimators import ESTIMATORS
from nablab.models.reference import resolve, resolve_all
from nablab.models.sklearn_model import find_class, seed_matters, sklearn_model


def public_path(owner: type) -> str:
    parts = [part for part in owner.__module__.split(".") if not part.startswith("_")]
    return f"{'.'.join(parts[:2])}.{owner.__name__}"


@pytest.mark.parametrize(("name", "owner"), all_estimators(type_filter="classifier"))
def test_every_classifier_is_found_by_its_public_path(name: str, owner: type[ClassifierMixin]) -> None:
    assert find_class(public_path(owner)) is owner


def test_settings_reach_the_estimator() -> None:
    model = resolve(
        "sklearn.neural_network.MLPClassifier(hidden_layer_sizes=(20,5),solver=lbfgs,early_stopping=True)"
    )
    estimator = model.estimator(7)  # type: ignore[misc]
    assert (estimator.hidden_layer_sizes, estimator.solver, estimator.early_stopping) == (
        (20, 5),
        "lbfgs",
        True,
    )
    assert estimator.random_state == 7
    assert (model.kind, model.score_kind, model.live) == ("estimator", "probabilities", False)


def test_an_estimator_inside_of_another_is_seeded_too() -> None:
    bagged = "sklearn.ensemble.BaggingClassifier(estimator=sklearn.tree.DecisionTreeClassifier(max_depth=3))"
    estimator = sklearn_model(bagged).estimator(3)  # type: ignore[misc]
    assert (estimator.random_state, estimator.estimator.random_state, estimator.estimator.max_depth) == (
        3,
        3,
        3,
    )


def test_two_makings_share_nothing() -> None:
    model = sklearn_model("sklearn.multiclass.OneVsRestClassifier(estimator=sklearn.svm.LinearSVC())")
    first, second = model.estimator(0), model.estimator(1)  # type: ignore[misc]
    assert first.estimator is not second.estimator


@pytest.mark.parametrize(
    ("reference", "seeded"),
    [
        ("sklearn.svm.SVC(C=2)", False),
        ("sklearn.svm.LinearSVC", True),
        ("sklearn.linear_model.LogisticRegression", False),
        ("sklearn.linear_model.LogisticRegression(solver=saga)", True),
        ("sklearn.linear_model.LogisticRegression(solver=lbfgs|saga)", True),
        ("sklearn.neighbors.KNeighborsClassifier", False),
        ("sklearn.multiclass.OneVsRestClassifier(estimator=sklearn.svm.SVC())", False),
        ("sklearn.multiclass.OneVsRestClassifier(estimator=sklearn.svm.LinearSVC())", True),
        ("knn(k=1)", False),
        ("svm(C=1|10)@run:3", False),
        ("logistic@run:3", False),
        ("logistic(solver=saga)@run:3", True),
    ],
)
def test_seeded_says_whether_a_seed_changes_anything(reference: str, seeded: bool) -> None:
    model = resolve(reference)
    assert model.seeded == seeded
    if not model.settings and not seeded:
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(60, 4)), rng.integers(3, size=60)
        said = [model.estimator(seed).fit(x, y).predict(x) for seed in (0, 1)]  # type: ignore[misc]
        np.testing.assert_array_equal(*said)


def test_choices_become_settings_in_their_order() -> None:
    model = resolve("sklearn.svm.SVC(C=1|10,gamma=scale|0.01)")
    assert [setting.text for setting in model.settings] == [
        "SVC(C=1, gamma=scale)", "SVC(C=1, gamma=0.01)", "SVC(C=10, gamma=scale)", "SVC(C=10, gamma=0.01)",
    ]  # fmt: skip
    assert [setting.make(0).gamma for setting in model.settings] == ["scale", 0.01, "scale", 0.01]
    assert resolve("sklearn.svm.SVC(C=1)").settings == ()


def test_labels_never_are_those_of_the_named_ones() -> None:
    models = resolve_all(["svc", "sklearn.svm.SVC", "sklearn.svm.SVC(C=10,kernel=poly)"])
    assert [model.label for model in models] == ["svc", "svc_default", "svc_c_10_kernel_poly"]
    assert not {model.label for model in models[1:]} & set(ESTIMATORS)


def test_counts_are_scaled_where_negatives_are_refused() -> None:
    estimator = sklearn_model("sklearn.naive_bayes.MultinomialNB").estimator(0)  # type: ignore[misc]
    x = np.random.default_rng(0).normal(size=(30, 4))
    assert estimator.fit(x, np.arange(30) % 3).predict(x - 5).shape == (30,)


def test_a_pixel_that_never_was_light_may_be() -> None:
    estimator = sklearn_model("sklearn.naive_bayes.CategoricalNB").estimator(0)  # type: ignore[misc]
    x = np.random.default_rng(0).normal(size=(30, 4))
    x[:, 1] = 0
    assert estimator.fit(x, np.arange(30) % 3).predict_proba(x + 5).shape == (30, 3)


def test_stacking_ends_in_probabilities_by_itself() -> None:
    text = "sklearn.ensemble.StackingClassifier(estimators=[(a,sklearn.naive_bayes.GaussianNB())])"
    model = sklearn_model(text)
    x = np.random.default_rng(0).normal(size=(30, 4))
    fitted = model.estimator(0).fit(x, np.arange(30) % 3)  # type: ignore[misc]
    assert model.score_kind == "probabilities"
    assert fitted.predict_proba(x).shape == (30, 3)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("sklearn.svm.SVCC(C=1)", "did you mean sklearn.svm.SVC"),
        ("sklearn.svm.svc", "did you mean sklearn.svm.SVC?"),
        ("sklearn.ensemble.SVC", "did you mean sklearn.svm.SVC?"),
        ("sklearn.svm.SVR", "is no classifier"),
        ("sklearn.svm._classes.SVC", "no class"),
        ("sklearn.clone", "no class"),
        ("sklearn.utils.os.system(command=ls)", "no class"),
        ("sklearn.svm.SVC(kernal=rbf)", "no parameter kernal; did you mean kernel?"),
        ("sklearn.svm.SVC(C=-1)", "'C' parameter of SVC must be a float in the range"),
        ("sklearn.svm.SVC(C=1|-1)", "'C' parameter of SVC"),
        ("sklearn.svm.SVC(kernel=square)", "'kernel' parameter of SVC"),
        ("sklearn.svm.SVC(random_state=1)", "leave out random_state"),
        ("sklearn.svm.SVC(decision_function_shape=ovo)", "leave out decision_function_shape"),
        ("svm(decision_function_shape=ovo)@run:3", "leave out decision_function_shape"),
        (make_pipeline(StandardScaler(), SVC(decision_function_shape="ovo")), "Pipeline: scores are one a"),
        ("sklearn.ensemble.RandomForestClassifier(n_jobs=2)", "leave out n_jobs"),
        ("sklearn.multiclass.OneVsRestClassifier", "needs estimator; write it, as in"),
        ("sklearn.multiclass.OneVsRestClassifier(estimator=os.system())", "no class os.system"),
        (
            "sklearn.multiclass.OutputCodeClassifier(estimator=sklearn.svm.LinearSVC())",
            "neither predict_proba",
        ),
        ("numpy:sklearn.svm.SVC", "leave out numpy:"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(reference: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve(reference)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_named_ones_know_whether_their_seed_matters() -> None:
    for entry in ESTIMATORS.values():
        assert seed_matters(entry.make(0)) == entry.seeded, entry.name
