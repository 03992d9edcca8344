"""The same estimators by scikit-learn-intelex, where it is installed, and back to scikit-learn's own.

What scikit-learn-intelex fits holds objects of its library, which cannot be stored without pickle. Its
numbers can: they are moved into an estimator of scikit-learn, which is held against it before it is stored.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.errors import RunFailed

PACKAGE = "scikit-learn-intelex"

#: The classes whose numbers can be moved: where scikit-learn-intelex has them.
MODULES = {
    "SVC": "sklearnex.svm",
    "NuSVC": "sklearnex.svm",
    "RandomForestClassifier": "sklearnex.ensemble",
    "LogisticRegression": "sklearnex.linear_model",
    "KNeighborsClassifier": "sklearnex.neighbors",
}

#: Images that the two are held against each other with.
_CHECKED = 100
#: Images of each class that the receiving estimator is fitted on first, to have all it needs.
_TEMPLATE = 5


def accelerated(estimator: Any) -> tuple[Any, str]:
    """The estimator, or the last of a pipeline, by scikit-learn-intelex; and in a line what became of it.

    Without the package, or where it lacks the class, the estimator comes back as it is.
    """
    if hasattr(estimator, "steps"):
        name, last = estimator.steps[-1]
        faster, said = accelerated(last)
        return estimator.set_params(**{name: faster}), said
    name = type(estimator).__name__
    if name not in MODULES:
        return estimator, f"--fast: {PACKAGE} does not do {name} for nablab; scikit-learn fitted it"
    try:
        owner = getattr(import_module(MODULES[name]), name)
    except (ImportError, AttributeError):
        return estimator, f"--fast: {PACKAGE} is not installed; scikit-learn fitted it"
    return owner(**estimator.get_params(deep=False)), f"--fast: fitted by {PACKAGE}{_version()}"


def plain(estimator: Any, x: NDArray[np.float32], y: NDArray[np.int64]) -> Any:
    """A fitted estimator as scikit-learn's own: itself, where nothing of it is scikit-learn-intelex's.

    Args:
        x: the training images (N, D), some of which both are tried on.
        y: (N,) their classes.

    Raises:
        RunFailed: the two do not say the same, so nothing can be stored.
    """
    if hasattr(estimator, "steps"):
        name, last = estimator.steps[-1]
        inside = estimator[:-1].transform(x) if len(estimator.steps) > 1 else x
        return estimator.set_params(**{name: plain(last, inside, y)})
    if not type(estimator).__module__.startswith("sklearnex"):
        return estimator
    moved = _moved(estimator, x, y)
    some = x[:: max(1, len(x) // _CHECKED)]
    if not np.allclose(_scores(moved, some), _scores(estimator, some), rtol=1e-3, atol=1e-3):
        raise RunFailed(f"what {PACKAGE} fitted is not what scikit-learn reads; leave out --fast")
    return moved


def _moved(estimator: Any, x: NDArray[np.float32], y: NDArray[np.int64]) -> Any:
    """scikit-learn's estimator, fitted on a few images and then given the numbers of the other."""
    name = type(estimator).__name__
    owner = getattr(import_module(MODULES[name].replace("sklearnex", "sklearn")), name)
    few = np.concatenate([np.flatnonzero(y == label)[:_TEMPLATE] for label in np.unique(y)])
    settings = {name: getattr(estimator, name) for name in owner().get_params(deep=False)}
    receiver = owner(**settings).fit(x[few], y[few])
    for key, value in vars(receiver).items():
        if key in settings or not hasattr(estimator, key):
            continue
        theirs = getattr(estimator, key)
        if isinstance(value, np.ndarray) and isinstance(theirs, np.ndarray):
            theirs = np.ascontiguousarray(theirs, dtype=value.dtype)
        setattr(receiver, key, theirs)
    return receiver


def _scores(estimator: Any, x: NDArray[np.float32]) -> NDArray[Any]:
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(x))
    return np.asarray(estimator.decision_function(x))


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f" {version(PACKAGE)}"
    except PackageNotFoundError:
        return ""
