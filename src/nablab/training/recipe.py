"""Everything that decides how a network is trained, as one frozen value and one TOML file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from nablab.errors import UserError, did_you_mean

OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop"]
ScheduleName = Literal["constant", "step", "cosine", "one_cycle", "plateau"]
PreprocessingName = Literal["standardize", "unit", "center", "none"]
AveragingName = Literal["none", "ema", "tail"]
ClassWeightName = Literal["none", "balanced"]
PrecisionName = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Complete: two equal recipes on equal data and model train alike.

    Attributes:
        epochs: passes over the training images; 1 or more.
        batch_size: images a step; the last batch of an epoch may be smaller.
        optimizer: `sgd`, `adam`, `adamw` or `rmsprop`, with PyTorch's formulas.
        lr: learning rate; with `one_cycle` its peak.
        momentum: of `sgd` and `rmsprop`.
        nesterov: look ahead (Sutskever et al. 2013); `sgd` with momentum only.
        beta1: decay of Adam's mean of gradients.
        beta2: decay of Adam's mean of squared gradients.
        schedule: `constant`; `step` (times `gamma` every `step_size` epochs); `cosine` (to 0 at the end);
            `one_cycle` (linear rise over `warmup` of all steps, cosine fall to 0; Smith 2018);
            `plateau` (times `gamma` after `plateau_patience` epochs without a better validation loss).
        step_size: epochs between falls of `step`.
        gamma: the factor of `step` and `plateau`.
        warmup: the fraction of all steps over which `one_cycle` rises.
        plateau_patience: epochs that `plateau` waits.
        weight_decay: lambda added as lambda*w to the gradient (L2: 1/2 lambda sum w^2); decoupled in `adamw`.
        l1: lambda of lambda * sum |w| over weights (not biases, not normalisation), added to the loss.
        label_smoothing: the share of each target spread over all classes; [0, 1).
        clip_norm: the largest norm of the whole gradient; 0 is none.
        averaging: `none`; `ema` (running mean of weights with `ema_decay`); `tail` (mean over the last
            quarter of all steps). The averaged weights are what is measured and kept.
        ema_decay: the decay of `ema` a step.
        class_weights: `none`, or `balanced`: each class weighs n / (classes * its count).
        augmentation: as `nablab.data.augment` reads it, e.g. `flip,shift:2,rotate:10`; empty is none.
        preprocessing: `standardize` (mean and deviation of the training images, by channel), `unit` ([0, 1]),
            `center` ([-0.5, 0.5]) or `none`.
        early_stopping: epochs without a better validation loss before stopping; 0 is never. The weights of
            the best epoch are kept.
        validation: the share of training images held out, 1/k for a whole k (0.1: every tenth); 0 is none.
        split_seed: draws the order that fractions and validation are cut from.
        seed: draws initial weights, order, augmentation and dropout.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: `float32`, or `bfloat16` (autocast).
        threads: threads a run computes with; 0 lets the plan decide, which then writes the number here.
        evaluate_every: epochs between measurements on frozen weights; the last epoch is always measured.
        train_sample: how many training images (a fixed sample) are measured on frozen weights.
    """

    epochs: int = 15
    batch_size: int = 128
    optimizer: OptimizerName = "adamw"
    lr: float = 3e-3
    momentum: float = 0.9
    nesterov: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    schedule: ScheduleName = "one_cycle"
    step_size: int = 5
    gamma: float = 0.1
    warmup: float = 0.25
    plateau_patience: int = 2
    weight_decay: float = 0.01
    l1: float = 0.0
    label_smoothing: float = 0.0
    clip_norm: float = 0.0
    averaging: AveragingName = "none"
    ema_decay: float = 0.999
    class_weights: ClassWeightName = "none"
    augmentation: str = ""
    preprocessing: PreprocessingName = "standardize"
    early_stopping: int = 0
    validation: float = 0.1
    split_seed: int = 0
    seed: int = 0
    device: str = "auto"
    precision: PrecisionName = "float32"
    threads: int = 0
    evaluate_every: int = 1
    train_sample: int = 2000

    def __post_init__(self) -> None:
        _check(self)

    def but(self, **changes: Any) -> Recipe:
        """A copy with other values.

        Raises:
            UserError: a name that no recipe has, or a value outside its range.
        """
        known = {f.name for f in fields(self)}
        for name in changes:
            if name not in known:
                raise UserError(f"a recipe has no {name!r}{did_you_mean(name, known)}")
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Recipe:
        """The recipe of these values; what is left out is at its default.

        Raises:
            UserError: a name that no recipe has, or a value of the wrong type or range.
        """
        return Recipe().but(**values)


_CHOICES: dict[str, tuple[str, ...]] = {
    "optimizer": get_args(OptimizerName),
    "schedule": get_args(ScheduleName),
    "preprocessing": get_args(PreprocessingName),
    "averaging": get_args(AveragingName),
    "class_weights": get_args(ClassWeightName),
    "precision": get_args(PrecisionName),
}
_AT_LEAST_ONE = ("epochs", "batch_size", "step_size", "plateau_patience", "evaluate_every", "train_sample")
_NOT_NEGATIVE = ("weight_decay", "l1", "clip_norm", "early_stopping", "split_seed", "seed", "threads")
_BELOW_ONE = ("momentum", "beta1", "beta2", "label_smoothing", "ema_decay")


def _check(recipe: Recipe) -> None:
    for f in fields(recipe):
        _check_type(f.name, getattr(recipe, f.name), str(f.type))
    for name, allowed in _CHOICES.items():
        value = getattr(recipe, name)
        if value not in allowed:
            raise UserError(f"{name} {value!r} is not one of {', '.join(allowed)}")
    for name in _AT_LEAST_ONE:
        _require(getattr(recipe, name) >= 1, recipe, name, "a whole number from 1")
    for name in _NOT_NEGATIVE:
        _require(getattr(recipe, name) >= 0, recipe, name, "0 or more")
    for name in _BELOW_ONE:
        _require(0 <= getattr(recipe, name) < 1, recipe, name, "from 0 to below 1")
    _require(recipe.lr > 0, recipe, "lr", "a positive number")
    _require(0 < recipe.gamma < 1, recipe, "gamma", "between 0 and 1")
    _require(0 < recipe.warmup < 1, recipe, "warmup", "between 0 and 1")
    _check_validation(recipe)
    if recipe.nesterov and (recipe.optimizer != "sgd" or recipe.momentum == 0):
        raise UserError("nesterov needs optimizer sgd with a momentum above 0")


def _check_validation(recipe: Recipe) -> None:
    share = recipe.validation
    if share != 0 and not (0 < share <= 0.5 and math.isclose(1 / share, round(1 / share), rel_tol=1e-6)):
        raise UserError(
            f"validation {share} must be 0 or one k-th (0.1 holds out every tenth image, 0.2 every fifth)"
        )
    if share == 0:
        for needs, wanted in (
            ("early_stopping", recipe.early_stopping > 0),
            ("plateau", recipe.schedule == "plateau"),
        ):
            if wanted:
                raise UserError(
                    f"{needs} chooses by validation images, and validation is 0; set validation to 0.1"
                )


def _check_type(name: str, value: object, annotation: str) -> None:
    expected: tuple[type, ...]
    if annotation == "int":
        expected, text = (int,), "a whole number"
    elif annotation == "float":
        expected, text = (int, float), "a number"
    elif annotation == "bool":
        expected, text = (bool,), "true or false"
    else:
        expected, text = (str,), "a text"
    wrong_bool = isinstance(value, bool) and annotation != "bool"
    if not isinstance(value, expected) or wrong_bool:
        raise UserError(f"{name} must be {text}, not {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{name} must be a finite number, not {value!r}")


def _require(holds: bool, recipe: Recipe, name: str, wanted: str) -> None:
    if not holds:
        raise UserError(f"{name} must be {wanted}, not {getattr(recipe, name)!r}")


#: What `--preset` knows. `handout` is how the hand-outs train: it keeps no validation set.
PRESETS: dict[str, Recipe] = {
    "default": Recipe(),
    "handout": Recipe(
        batch_size=64,
        optimizer="adam",
        lr=1e-3,
        schedule="constant",
        weight_decay=0.0,
        preprocessing="unit",
        validation=0.0,
    ),
    "fast": Recipe(epochs=5, batch_size=256, lr=8e-3, label_smoothing=0.1, augmentation="flip,shift:2"),
}


def preset(name: str) -> Recipe:
    """One of `PRESETS` by name.

    Raises:
        UserError: no such preset.
    """
    if name not in PRESETS:
        raise UserError(f"no preset {name!r}{did_you_mean(name, PRESETS)}")
    return PRESETS[name]


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file, under `[recipe]` or at its top.

    Raises:
        UserError: the file cannot be read, is not TOML, or holds what no recipe has.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: {error}") from error
    return Recipe.from_dict(values.get("recipe", values))
