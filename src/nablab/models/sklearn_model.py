"""Any classifier of scikit-learn as a model: `sklearn.svm.SVC(C=1|10,kernel=poly)`.

The text is data (`estimator_text`). Only public classes below `sklearn` are looked up, by name, and called
with the settings. What they are fitted on was preprocessed by the recipe, so that all pixels share one scale.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from nablab.errors import UserError, did_you_mean
from nablab.models.estimator_text import EstimatorText, expand, read
from nablab.models.labels import label_of_name
from nablab.models.live import random_states, score_kind, seeded_clone
from nablab.models.model import Model, Setting

#: What a reference of this kind begins with.
PREFIX = "sklearn."

#: Settings that are not a model's to make.
_OURS = {
    "random_state": "it is the run's seed (--seeds)",
    "n_jobs": "how many threads compute is the recipe's to say (--threads)",
    "memory": "what it keeps are pickles, and those can run code when they are read",
}

#: Counts cannot be negative, and standardised pixels are: these get each feature scaled to [0, 1] first.
_NEEDS_POSITIVE = ("MultinomialNB", "ComplementNB", "CategoricalNB")

#: With these settings a class has a random_state that changes nothing.
_UNSEEDED: dict[str, Callable[[dict[str, Any]], bool]] = {
    "SVC": lambda params: params.get("probability") is not True,
    "NuSVC": lambda params: params.get("probability") is not True,
    "LogisticRegression": lambda params: params["solver"] in ("lbfgs", "newton-cg", "newton-cholesky"),
    "LinearSVC": lambda params: params["dual"] is False,
    "HistGradientBoostingClassifier": lambda params: (
        params["early_stopping"] is False and params["max_features"] == 1
    ),
    "RidgeClassifier": lambda params: params["solver"] not in ("sag", "saga"),
}


def sklearn_model(reference: str) -> Model:
    """The model that `sklearn.module.Class(name=value,...)` names.

    Raises:
        UserError: it cannot be read; no such class or parameter (the nearest are told); no classifier; a
            value that scikit-learn refuses.
    """
    text = read(reference)
    settings = tuple(Setting(str(one), _maker(one, reference)) for one in expand(text))
    first = settings[0].make(0)
    return Model(
        label=_label(text),
        reference=reference,
        kind="estimator",
        detail=str(text) + _scaling(text),
        estimator=settings[0].make,
        score_kind=score_kind(first, text.path),
        seeded=any(seed_matters(setting.make(0)) for setting in settings),
        settings=settings if len(settings) > 1 else (),
    )


def seed_matters(estimator: Any) -> bool:
    """Whether two seeds can give two results.

    >>> from sklearn.svm import SVC, LinearSVC
    >>> seed_matters(SVC()), seed_matters(LinearSVC())
    (False, True)
    """
    params = estimator.get_params()
    owners = [
        estimator if key == "random_state" else params[key.removesuffix("__random_state")]
        for key in random_states(estimator)
    ]
    return any(not _is_unseeded(type(owner).__name__, owner.get_params()) for owner in owners)


def _is_unseeded(name: str, params: dict[str, Any]) -> bool:
    return name in _UNSEEDED and _UNSEEDED[name](params)


def _label(text: EstimatorText) -> str:
    from nablab.models.estimators import ESTIMATORS

    label = label_of_name(str(text))
    return f"{label}_default" if label in ESTIMATORS else label


def _scaling(text: EstimatorText) -> str:
    return ", each feature scaled to [0, 1]" if text.name in _NEEDS_POSITIVE else ""


def _maker(text: EstimatorText, reference: str) -> Callable[[int], Any]:
    """seed -> unfitted estimator, after one was made and found right."""
    estimator = _made(text, reference, classifier=True)
    if text.name in _NEEDS_POSITIVE:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler

        if text.name == "CategoricalNB" and estimator.min_categories is None:
            estimator.min_categories = 2  # a pixel that is dark in all training images may be light in others
        estimator = make_pipeline(MinMaxScaler(clip=True), estimator)
    return partial(seeded_clone, estimator)


def _made(text: EstimatorText, reference: str, *, classifier: bool) -> Any:
    from sklearn.utils._param_validation import InvalidParameterError

    owner = find_class(text.path, classifier=classifier)
    known = inspect.signature(owner).parameters
    for name, value in text.settings:
        if name in _OURS and name in known:
            raise UserError(f"{reference}: leave out {name}; {_OURS[name]}")
        if name not in known:
            raise UserError(f"{text.path} has no parameter {name}{did_you_mean(name, known)}")
        if name == "decision_function_shape" and value == "ovo":
            raise UserError(f"{reference}: scores are one a class here; leave out decision_function_shape")
    missing = [name for name, p in known.items() if p.default is p.empty and name not in dict(text.settings)]
    if missing:
        example = f"{missing[0]}=sklearn.linear_model.LogisticRegression()"
        raise UserError(f"{text.path} needs {', '.join(missing)}; write it, as in {text.path}({example})")
    estimator = owner(**{name: _built(value, reference) for name, value in text.settings})
    try:
        estimator._validate_params()
    except InvalidParameterError as error:
        raise UserError(f"{reference}: {error}") from error
    return estimator


def _built(value: Any, reference: str) -> Any:
    """The value with estimators in place of their texts."""
    if isinstance(value, EstimatorText):
        return _made(value, reference, classifier=False)
    if isinstance(value, list | tuple):
        return type(value)(_built(item, reference) for item in value)
    if isinstance(value, dict):
        return {key: _built(item, reference) for key, item in value.items()}
    return value


def find_class(path: str, *, classifier: bool = True) -> Any:
    """The public class of scikit-learn at a path.

    >>> find_class("sklearn.svm.SVC").__name__
    'SVC'

    Args:
        classifier: whether it must be one; else any estimator is taken.

    Raises:
        UserError: there is none; the nearest are told.
    """
    from sklearn.base import BaseEstimator, ClassifierMixin

    module, _, name = path.rpartition(".")
    owner = getattr(_public_module(module), name, None) if not name.startswith("_") else None
    if not (isinstance(owner, type) and issubclass(owner, BaseEstimator)):
        raise UserError(f"no class {path}{_nearest(path)}")
    if classifier and not issubclass(owner, ClassifierMixin):
        raise UserError(f"{path} is no classifier{_nearest(path)}")
    return owner


def _public_module(name: str) -> Any:
    """`sklearn.svm` and its like; None for what is deeper, private, or not there."""
    import sklearn

    package, _, rest = name.partition(".")
    if package != "sklearn" or rest not in sklearn.__all__:
        return None
    try:
        return import_module(name)
    except ModuleNotFoundError:  # one of its functions
        return None


def _nearest(path: str) -> str:
    known = _classifiers()
    name = path.rpartition(".")[2].lower()
    same = [one for one in known if one.rpartition(".")[2].lower() == name]
    if same:
        return f"; did you mean {same[0]}?"
    near = did_you_mean(path, known)
    return near if "did you mean" in near else "; scikit-learn's API reference lists its classifiers"


def _classifiers() -> list[str]:
    """The paths of all classifiers: this loads all of scikit-learn, for an error's sake."""
    from sklearn.utils.discovery import all_estimators

    found = []
    for name, owner in all_estimators(type_filter="classifier"):
        parts = [part for part in owner.__module__.split(".") if not part.startswith("_")]
        found.append(f"{'.'.join(parts[:2])}.{name}")
    return found
