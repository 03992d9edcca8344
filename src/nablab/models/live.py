"""Models that are classes, functions or objects of this process: PyTorch's and scikit-learn's."""

from __future__ import annotations

import copy
import inspect
import sys
import weakref
from collections.abc import Callable
from typing import Any

from nablab.errors import UserError
from nablab.models.labels import label_of_name
from nablab.models.model import Model, ScoreKind
from nablab.models.user_code import blaming

Shape = tuple[int, ...]


def is_model(value: object) -> bool:
    """Whether this is something that `model_of_object` knows what to do with."""
    return _is_module(value) or _is_estimator(value) or inspect.isfunction(value)


def model_of_object(value: Any) -> Model:
    """The model of a class, a function or an object.

    A module class, or a function that returns a module, is called for each run, without arguments or with
    those of `classes` (or `num_classes`) and `input_shape` that it names; PyTorch's generator is seeded
    before. A module object is copied for each run with its weights as they are. An estimator is cloned, and
    each `random_state` in it set to the run's seed.

    Raises:
        UserError: a classifier that scores nothing.
    """
    owner = value if isinstance(value, type) or inspect.isfunction(value) else type(value)
    name = owner.__qualname__.rpartition(".<locals>.")[2]
    reference = f"{owner.__module__}.{owner.__qualname__}"
    if _is_estimator(value):
        with blaming(name, "making it"):
            estimator = value() if isinstance(value, type) else value
        return Model(
            label=label_of_name(name),
            reference=reference,
            kind="estimator",
            detail=" ".join(repr(estimator).split()),
            estimator=lambda seed: seeded_clone(estimator, seed),
            score_kind=score_kind(estimator, name),
            seeded=bool(random_states(estimator)),
            live=True,
        )
    return Model(
        label=label_of_name(name),
        reference=reference,
        kind="module",
        detail=name,
        factory=_factory(value, name),
        live=True,
    )


def _is_module(value: object) -> bool:
    # What is a module can only be there if torch is: it need not be imported to find out.
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    return isinstance(value, torch.nn.Module) or (
        isinstance(value, type) and issubclass(value, torch.nn.Module)
    )


def _is_estimator(value: object) -> bool:
    owner = value if isinstance(value, type) else type(value)
    return callable(getattr(owner, "fit", None)) and callable(getattr(owner, "get_params", None))


def _factory(value: Any, name: str) -> Callable[[Shape, int], Any]:
    before: list[weakref.ref[Any]] = []

    def build(input_shape: Shape, classes: int) -> Any:
        from nablab.models.torch_module import check_module

        with blaming(name, "building it"):
            if _is_module(value) and not isinstance(value, type):
                module = copy.deepcopy(value)
            else:
                module = value(**_arguments(value, name, input_shape, classes))
        with blaming(name, f"calling it with images of shape {input_shape}"):
            check_module(module, input_shape, classes, name)
        if any(last() is module for last in before):
            raise UserError(
                f"{name} returns the same module again, which one run would take over from another trained; "
                "let it make a new one at each call, or give the module itself, which is copied"
            )
        before[:] = [weakref.ref(module)]
        return module

    return build


def _arguments(make: Any, name: str, input_shape: Shape, classes: int) -> dict[str, Any]:
    """What a class or function asks for, of what there is to give."""
    offered = {"classes": classes, "num_classes": classes, "input_shape": input_shape}
    asked = inspect.signature(make).parameters.values()
    missing = [
        p.name
        for p in asked
        if p.default is p.empty
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        and (p.name not in offered or p.kind is p.POSITIONAL_ONLY)
    ]
    if missing:
        raise UserError(
            f"{name} cannot be built: it needs {', '.join(missing)}; give defaults, since it is built "
            "without arguments, or with classes= and input_shape= where it takes them"
        )
    return {p.name: offered[p.name] for p in asked if p.name in offered and p.kind is not p.POSITIONAL_ONLY}


def random_states(estimator: Any) -> list[str]:
    """The parameters that seed an estimator of scikit-learn and those inside of it."""
    return [key for key in estimator.get_params() if key == "random_state" or key.endswith("__random_state")]


def seeded_clone(estimator: Any, seed: int) -> Any:
    """An unfitted copy with each `random_state` set to the seed."""
    from sklearn.base import clone

    return clone(estimator).set_params(**dict.fromkeys(random_states(estimator), seed))


def score_kind(estimator: Any, name: str) -> ScoreKind:
    """What an unfitted classifier will score with.

    Raises:
        UserError: nothing, it only names classes; or a margin for each pair of classes.
    """
    # Stacking does not know before it is fitted that what it ends in by itself is logistic regression.
    if hasattr(estimator, "predict_proba") or getattr(estimator, "final_estimator", estimator) is None:
        return "probabilities"
    if hasattr(estimator, "decision_function"):
        shapes = [v for k, v in estimator.get_params().items() if k.endswith("decision_function_shape")]
        if "ovo" in shapes:
            raise UserError(f"{name}: scores are one a class here; leave out decision_function_shape")
        return "margins"
    raise UserError(f"{name} has neither predict_proba nor decision_function, so it cannot be compared")
