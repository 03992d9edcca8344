"""Methods on the images as they are, or on what a layer of a trained network makes of them.

`knn(k=5,metric=l2,weights=distance)` compares pixels; `knn@RUN:layer`, `svm@RUN:layer` and
`logistic@RUN:layer` work on the outputs of a layer of an earlier run, named as in `nablab inspect`. Settings
are written as those of `sklearn.svm.SVC(...)`, choices included.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nablab.errors import UserError, did_you_mean
from nablab.models.estimator_text import EstimatorText, expand, read
from nablab.models.labels import label_of_name
from nablab.models.live import score_kind, seeded_clone
from nablab.models.model import FeatureSource, Model, ScoreKind, Setting
from nablab.models.sklearn_model import seed_matters

_REFERENCE = re.compile(
    r"(?P<head>(?P<name>knn|svm|logistic)(?:\(.*\))?)(?:@(?P<run>.+?)(?::(?P<layer>[^:/\\]*))?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Head:
    """A method that works on features."""

    make: Callable[[dict[str, Any]], Any]  #: settings -> unfitted estimator
    score_kind: ScoreKind
    detail: str  #: what is not in its settings
    on_pixels: str  #: what it is called on pixels, where that is another name


def is_memorised(text: str) -> bool:
    """Whether a reference is of this kind; a bare `knn` is scikit-learn's of the leader board.

    >>> is_memorised("knn@results/runs/lenet-f1-s0:4"), is_memorised("knn(k=1)"), is_memorised("knn")
    (True, True, False)
    """
    found = _REFERENCE.fullmatch(text)
    return found is not None and (found["run"] is not None or "(" in text)


def memorised_model(reference: str) -> Model:
    """The model of such a reference. The run is not looked at yet.

    Raises:
        UserError: no layer, an unknown setting, or a value that is refused.
    """
    found = _REFERENCE.fullmatch(reference)
    assert found is not None
    head = _HEADS[found["name"].lower()]
    source = None
    if found["run"] is not None:
        if not found["layer"]:
            raise UserError(
                f"{reference}: say which layer, as in {found['head']}@{found['run']}:3; nablab inspect shows "
                "their names"
            )
        source = FeatureSource(os.path.expanduser(found["run"]), found["layer"])
        reference = f"{found['head']}@{source.run}:{source.layer}"
    elif head.on_pixels:
        example = f"{found['head']}@RUN:3"
        raise UserError(
            f"{reference} needs a run and its layer, as in {example}; on pixels it is {head.on_pixels}"
        )
    text = read(found["head"])
    settings = tuple(Setting(str(one), _maker(head, one, reference)) for one in expand(text))
    where = f", on layer {source.layer} of {Path(source.run).name}" if source else ", on pixels"
    return Model(
        label=_label(text, source),
        reference=reference,
        kind="estimator",
        detail=f"{text}{head.detail}{where}",
        estimator=settings[0].make,
        score_kind=head.score_kind,
        seeded=any(seed_matters(setting.make(0)) for setting in settings),
        settings=settings if len(settings) > 1 else (),
        features=source,
    )


def _label(text: EstimatorText, source: FeatureSource | None) -> str:
    head = label_of_name(str(text)) if text.settings else text.name.lower()
    if source is not None:
        return label_of_name(f"{head}-at-{source.layer}")
    return head if text.settings else "knn_l2"  # `knn` is the leader board's


def _maker(head: _Head, text: EstimatorText, reference: str) -> Callable[[int], Any]:
    try:
        estimator = head.make(dict(text.settings))
    except ValueError as error:  # scikit-learn's own is one
        raise UserError(f"{reference}: {error}") from error
    return partial(seeded_clone, estimator)


def _knn(settings: dict[str, Any]) -> Any:
    from nablab.models.neighbours import NearestNeighbours, check_settings

    _check_names("knn", settings, ("k", "metric", "weights"))
    estimator = NearestNeighbours(**settings)
    check_settings(estimator)
    return estimator


def _on_scaled(method: Callable[[], Any], name: str, settings: dict[str, Any]) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    estimator = method()
    known = [key for key in estimator.get_params() if key not in ("random_state", "n_jobs")]
    _check_names(name, settings, known)
    estimator.set_params(**settings)._validate_params()
    score_kind(estimator, name)
    return make_pipeline(StandardScaler(), estimator)


def _svm() -> Any:
    from sklearn.svm import SVC

    return SVC()


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=200)


def _check_names(method: str, settings: dict[str, Any], known: Any) -> None:
    for name in settings:
        if name not in known:
            raise UserError(f"{method} has no setting {name}{did_you_mean(name, known)}")


#: The units of a layer differ in size by orders of magnitude, and kernels and penalties take all alike: so
#: those two standardise each unit. Neighbours are compared as the layer has them.
_SCALED = ", each unit standardised"
_HEADS = {
    "knn": _Head(_knn, "probabilities", "", ""),
    "svm": _Head(partial(_on_scaled, _svm, "svm"), "margins", _SCALED, "svc"),
    "logistic": _Head(
        partial(_on_scaled, _logistic, "logistic"), "probabilities", _SCALED, "logistic_regression"
    ),
}
