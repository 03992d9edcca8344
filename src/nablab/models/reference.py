"""What a user may name as a model, and what nablab makes of it.

A name of the catalog (`lenet`), of an estimator (`svc`), any classifier of scikit-learn with its settings
(`sklearn.svm.SVC(C=10,kernel=poly)`), a string of the layer language, a class, function or object in a file
(`my_net.py:MyNet`); and in Python also a `Spec`, a live `nn.Module` class or object, a function that returns
a module, or an estimator of scikit-learn. `numpy:` before a name of the catalog or a string of layers lets
our own engine run it, `fast:` before an estimator scikit-learn-intelex. After a network, `@` and a run's
folder or a `.safetensors` file name the weights that it starts from (`lenet@results/runs/lenet-f1-s0`);
`features:NAME` is a linear probe on a frozen backbone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nablab.errors import UserError, did_you_mean
from nablab.models.backbone_names import FEATURES, probe
from nablab.models.catalog import CATALOG, find
from nablab.models.estimators import ESTIMATORS
from nablab.models.labels import label_of_name, label_of_spec, unique_label
from nablab.models.language import parse
from nablab.models.live import is_model, model_of_object
from nablab.models.memorised import is_memorised, memorised_model
from nablab.models.model import Model
from nablab.models.named_code import name_code
from nablab.models.printing import to_text
from nablab.models.sklearn_model import PREFIX as SKLEARN
from nablab.models.sklearn_model import sklearn_model
from nablab.models.spec import Spec
from nablab.models.started import divide, start_from
from nablab.models.user_code import describe_source, load_file

#: Before a network: our own engine runs it.
_ON_NUMPY = "numpy:"
#: Before an estimator: scikit-learn-intelex fits it, where it is installed.
_FAST = "fast:"

_IN_FILE = re.compile(r"(?P<path>.+\.py):(?P<name>[^:/\\]*)")


def resolve(reference: Any, *, labels_taken: Collection[str] = ()) -> Model:
    """The model that a reference names. Nothing is built or trained; a user's file is run.

    Args:
        reference: see the module's text; a `Model` is taken as it is.
        labels_taken: labels that the model may not get.

    >>> resolve("LeNet5").label, resolve("8C3-ReLU-K").label, resolve("knn").kind
    ('lenet5', '8c3-relu-k', 'estimator')

    Raises:
        UserError: nothing has this name (the nearest are told), a layer string that is wrong (where), a
            file that fails (its own error and line), an object that is no model.
    """
    model = _resolve(reference)
    return replace(model, label=unique_label(model.label, labels_taken))


def resolve_all(references: Iterable[Any]) -> tuple[Model, ...]:
    """Several models, with labels that differ from each other, in the order given.

    Live classes and objects of one name also get references that differ (`__main__.Net`, `__main__.Net#2`).

    Raises:
        UserError: as `resolve`.
    """
    models: list[Model] = []
    for reference in references:
        model = resolve(reference, labels_taken={taken.label for taken in models})
        same = [
            taken for taken in models if taken.live and taken.reference.partition("#")[0] == model.reference
        ]
        if model.live and same:
            model = replace(model, reference=f"{model.reference}#{len(same) + 1}")
        models.append(model)
    return tuple(models)


def _resolve(reference: Any) -> Model:
    if isinstance(reference, Model):
        return reference
    if isinstance(reference, Spec):
        return _network(label_of_spec(reference), to_text(reference), reference)
    if isinstance(reference, str | Path):
        return _named(str(reference).strip())
    if not is_model(reference):
        raise UserError(
            f"{reference!r:.80} is no model; give a name, a string of layers, a Spec, a torch.nn.Module "
            "or a scikit-learn classifier"
        )
    return model_of_object(reference)


def _network(label: str, reference: str, spec: Spec) -> Model:
    return Model(label, reference, "network", detail=to_text(spec), spec=spec)


def _named(text: str) -> Model:
    name = text.lower().replace("-", "_")
    if entry := find(text):
        return _network(entry.name, entry.name, entry.spec)
    if name in ESTIMATORS:
        return _estimator(name)
    if name.startswith(_FAST):
        return _by_intelex(text, text[len(_FAST) :].strip())
    if is_memorised(text):
        return memorised_model(text)
    if text.startswith(SKLEARN) and not _IN_FILE.fullmatch(text):
        return sklearn_model(text)
    if name.startswith(FEATURES):
        return probe(text)
    network, start = divide(text)
    if start and network.lower().replace("-", "_") not in ESTIMATORS:
        return start_from(_named(network), os.path.expanduser(start))
    if name.startswith(_ON_NUMPY):
        return _on_numpy(text, text[len(_ON_NUMPY) :].strip())
    if in_file := _IN_FILE.fullmatch(text):
        return _in_file(text, in_file["path"], in_file["name"])
    if text.endswith(".py"):
        return _in_file(text, text, "")
    return _layers(text, name)


def _layers(text: str, name: str) -> Model:
    """A string of layers; one that cannot be meant as such is an unknown name."""
    try:
        spec = parse(text)
    except UserError:
        known = {*CATALOG, *ESTIMATORS}
        looks_like_layers = re.search(r"[-(]|^[0-9]", text)
        if text and (not looks_like_layers or get_close_matches(name, known, 1, cutoff=0.75)):
            raise UserError(
                f"no model {text!r}{did_you_mean(name, known)} "
                "(or write its layers, as in 32C3-ReLU-MaxPool2-K, or name a file, as in my_net.py:MyNet)"
            ) from None
        raise
    return _network(label_of_spec(spec), to_text(spec), spec)


def _on_numpy(text: str, network: str) -> Model:
    """A network of the layer language, for our own engine."""
    name = network.lower().replace("-", "_")
    files = network.endswith(".py") or _IN_FILE.fullmatch(network)
    prefixed = name.startswith((_ON_NUMPY, _FAST))
    if files or prefixed or is_estimator_name(network):
        raise UserError(
            f"{text}: the NumPy engine runs networks of the layer language, as in numpy:lenet or "
            f"numpy:32C3-ReLU-MaxPool2-K; leave out {_ON_NUMPY} before {network}"
        )
    model = _named(network)
    return replace(
        model,
        label=f"{model.label}-numpy",
        reference=_ON_NUMPY + model.reference,
        detail=f"{model.detail}, on NumPy",
        engine="numpy",
    )


def is_estimator_name(text: str) -> bool:
    """Whether a reference is that of an estimator of scikit-learn, by name or by path.

    >>> is_estimator_name("svc"), is_estimator_name("sklearn.svm.SVC(C=1)"), is_estimator_name("lenet")
    (True, True, False)
    """
    return text.lower().replace("-", "_") in ESTIMATORS or text.startswith(SKLEARN)


def faster(reference: str) -> str:
    """The reference with `fast:` before it, where it is an estimator's; others as they are.

    >>> faster("svc"), faster("lenet")
    ('fast:svc', 'lenet')
    """
    return _FAST + reference if is_estimator_name(reference.strip()) else reference


def _by_intelex(text: str, estimator: str) -> Model:
    """An estimator, for scikit-learn-intelex."""
    if not is_estimator_name(estimator):
        raise UserError(f"{text}: {_FAST} goes before an estimator, as in fast:svc; leave it out here")
    model = _named(estimator)
    return replace(
        model,
        label=f"{model.label}-fast",
        reference=_FAST + model.reference,
        fast=True,
        slow="",
    )


def _estimator(name: str) -> Model:
    entry = ESTIMATORS[name]
    return Model(
        label=name,
        reference=name,
        kind="estimator",
        detail=entry.detail,
        estimator=entry.make,
        score_kind=entry.score_kind,
        counts=entry.counts,
        seeded=entry.seeded,
        slow=entry.slow,
    )


def _in_file(reference: str, path: str, name: str) -> Model:
    if Path(path).expanduser().is_file():  # else loading it says so
        name_code(reference, path)
    module = load_file(path)
    here = [
        key
        for key, value in vars(module).items()
        if is_model(value) and not key.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]
    if not name:
        raise UserError(f"{path}: say which class, as in {path}:{here[0] if here else 'MyNet'}")
    if not hasattr(module, name):
        raise UserError(f"{path} has no {name}; its models: {', '.join(here) or 'none'}")
    value = getattr(module, name)
    if not is_model(value):
        raise UserError(
            f"{reference}: {name} is {type(value).__name__}, not a torch.nn.Module or a classifier"
        )
    model = model_of_object(value)
    return replace(
        model,
        label=label_of_name(name),
        reference=reference,
        detail=model.detail if model.kind == "estimator" else f"{name} in {Path(path).name}",
        source_file=describe_source(path),
        live=False,
    )
