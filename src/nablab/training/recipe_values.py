"""What the values of a recipe may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Literal, get_args

from nablab.errors import UserError

OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop"]
ScheduleName = Literal["constant", "step", "cosine", "one_cycle", "plateau"]
PreprocessingName = Literal["standardize", "unit", "center", "none", "init"]
AveragingName = Literal["none", "ema", "tail"]
ClassWeightName = Literal["none", "balanced"]
TtaName = Literal["none", "flip"]
PrecisionName = Literal["auto", "float32", "bfloat16"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "optimizer": get_args(OptimizerName),
    "schedule": get_args(ScheduleName),
    "preprocessing": get_args(PreprocessingName),
    "averaging": get_args(AveragingName),
    "class_weights": get_args(ClassWeightName),
    "tta": get_args(TtaName),
    "precision": get_args(PrecisionName),
    "device": get_args(DeviceName),
}
_AT_LEAST_ONE = ("epochs", "batch_size", "step_size", "plateau_patience", "evaluate_every", "train_sample")
_NOT_NEGATIVE = ("weight_decay", "l1", "clip_norm", "early_stopping", "threads")
_SEEDS = ("split_seed", "seed")
_BELOW_ONE = ("momentum", "beta1", "beta2", "label_smoothing", "ema_decay")
_INSIDE_ONE = ("gamma", "warmup")

#: What NumPy's older generators take, and so scikit-learn.
LARGEST_SEED = 2**32 - 1

#: What each annotation of a recipe's field stands for; any other is a text.
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
}


def plain(value: Any) -> Any:
    """A number of NumPy's or PyTorch's as Python's, which files and messages write; anything else as it is.

    >>> import numpy as np
    >>> plain(np.int64(3)), plain(np.float32(0.5)), plain("sgd")
    (3, 0.5, 'sgd')
    """
    if type(value) in (bool, int, float, str):
        return value
    if getattr(value, "ndim", None) == 0:
        return value.item()
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def check(values: Mapping[str, Any], annotations: Mapping[str, str]) -> None:
    """Whether these values make a recipe that can be trained by.

    Args:
        values: by field name.
        annotations: the type of each field, as written.

    Raises:
        UserError: a value of the wrong type or outside its range, or values that exclude each other.
    """
    for name, value in values.items():
        _check_type(name, value, annotations[name])
    for name, allowed in _CHOICES.items():
        if values[name] not in allowed:
            raise UserError(f"{name} {values[name]!r} is not one of {', '.join(allowed)}")
    _check_ranges(values)
    _check_validation(values["validation"], values["early_stopping"] > 0, values["schedule"] == "plateau")
    if values["nesterov"] and (values["optimizer"] != "sgd" or values["momentum"] == 0):
        raise UserError("nesterov needs optimizer sgd with a momentum above 0")


def _check_type(name: str, value: object, annotation: str) -> None:
    expected, text = _TYPES.get(annotation, ((str,), "a text"))
    wrong_bool = isinstance(value, bool) and annotation != "bool"
    if not isinstance(value, expected) or wrong_bool:
        raise UserError(f"{name} must be {text}, not {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{name} must be a finite number, not {value!r}")


def _check_ranges(values: Mapping[str, Any]) -> None:
    ranges = [(name, values[name] >= 1, "a whole number from 1") for name in _AT_LEAST_ONE]
    ranges += [(name, values[name] >= 0, "0 or more") for name in _NOT_NEGATIVE]
    ranges += [(name, 0 <= values[name] <= LARGEST_SEED, f"from 0 to {LARGEST_SEED}") for name in _SEEDS]
    ranges += [(name, 0 <= values[name] < 1, "from 0 to below 1") for name in _BELOW_ONE]
    ranges += [(name, 0 < values[name] < 1, "between 0 and 1") for name in _INSIDE_ONE]
    ranges.append(("lr", values["lr"] > 0, "a positive number"))
    ranges.append(("layer_decay", 0 < values["layer_decay"] <= 1, "above 0 and at most 1"))
    for name, holds, wanted in ranges:
        if not holds:
            raise UserError(f"{name} must be {wanted}, not {values[name]!r}")


def _check_validation(share: float, stops_early: bool, has_plateau: bool) -> None:
    if share != 0 and not (0 < share <= 0.5 and math.isclose(1 / share, round(1 / share), rel_tol=1e-6)):
        raise UserError(
            f"validation {share} must be 0 or one k-th (0.1 holds out every tenth image, 0.2 every fifth)"
        )
    for name, wanted in (("early_stopping", stops_early), ("plateau", has_plateau)):
        if wanted and share == 0:
            raise UserError(
                f"{name} chooses by validation images, and validation is 0; set validation to 0.1"
            )
