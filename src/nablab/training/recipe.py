"""Everything that decides how a network is trained, as one frozen value and one TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from nablab.errors import UserError, did_you_mean
from nablab.training.recipe_values import (
    AveragingName,
    ClassWeightName,
    DeviceName,
    OptimizerName,
    PrecisionName,
    PreprocessingName,
    ScheduleName,
    TtaName,
    check,
    plain,
)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Complete: two equal recipes on equal data and model train alike.

    Attributes:
        epochs: passes over the training images; 1 or more.
        batch_size: images a step; the last batch of an epoch holds what is left (one image alone joins the
            batch before it).
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
        l1: lambda of `lambda * sum(abs(w))` over weights (not biases, not normalisation), added to the loss.
        label_smoothing: the share of each target spread over all classes; [0, 1).
        clip_norm: the largest norm of the whole gradient; 0 is none.
        averaging: `none`; `ema` (running mean of weights with `ema_decay`); `tail` (mean over the last
            quarter of all steps). The averaged weights are what is measured and kept.
        ema_decay: the decay of `ema` a step.
        class_weights: `none`, or `balanced`: each class weighs n / (classes * its count).
        augmentation: as `nablab.data.augment` reads it, e.g. `flip,shift:2,crop:0.6,rotate:10`; empty:
            none.
        tta: test-time augmentation: `flip` scores an image by the mean of its logits and those of its mirror
            (Krizhevsky et al. 2012), wherever scores are asked for; a prediction takes twice as long.
        preprocessing: `standardize` (mean and deviation of the training images, by channel), `unit` ([0, 1]),
            `center` ([-0.5, 0.5]) or `none`; or `init`: as the run did whose weights a network starts from.
        freeze: layers that keep the weights they start with, as `nablab inspect` names them, with commas
            between; `features.*` is all of that kind, a name holds for all inside it. Batch normalisation in
            them stays in evaluation mode: its running mean and variance are frozen too. A head that is new
            is trained in any case, so `*` trains that alone.
        layer_decay: layer-wise learning rate decay: with d layers between a layer and the scores, it learns
            at lr layer_decay^d; (0, 1] (Howard and Ruder 2018, discriminative fine-tuning: 1/2.6).
        new_head: replace the last layer of weights that a network starts from, also where it would fit.
            One for other classes is replaced in any case.
        early_stopping: epochs without a better validation loss before stopping; 0 is never. The weights of
            the best epoch are kept.
        validation: the share of training images held out, 1/k for a whole k (0.1: every tenth); 0 is none.
        split_seed: draws the order that fractions and validation are cut from.
        seed: draws initial weights, order, augmentation and dropout; like `split_seed` below 2^32.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: of training: `float32`, `bfloat16` (autocast), or `auto`: bfloat16 where the processor or
            accelerator multiplies in it, which is up to twice as fast; the plan decides, which then writes
            the one it took here. Scores are always computed in float32.
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
    tta: TtaName = "none"
    preprocessing: PreprocessingName = "standardize"
    freeze: str = ""
    layer_decay: float = 1.0
    new_head: bool = False
    early_stopping: int = 0
    validation: float = 0.1
    split_seed: int = 0
    seed: int = 0
    device: DeviceName = "auto"
    precision: PrecisionName = "float32"
    threads: int = 0
    evaluate_every: int = 1
    train_sample: int = 2000

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))
        check(asdict(self), {field.name: str(field.type) for field in fields(self)})

    @property
    def chooses(self) -> bool:
        """Whether validation images decide anything: when to stop, or when the learning rate falls."""
        return self.early_stopping > 0 or self.schedule == "plateau"

    def but(self, /, **changes: Any) -> Recipe:
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
        """Every value by its name, as records and TOML files hold it."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Recipe:
        """The recipe of these values; what is left out is at its default.

        Raises:
            UserError: a name that no recipe has, or a value of the wrong type or range.
        """
        return Recipe().but(**values)


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
    "fast": Recipe(
        epochs=2,
        batch_size=256,
        lr=8e-3,
        augmentation="flip",
        tta="flip",
        precision="auto",
        validation=0.0,
        evaluate_every=2,
    ),
    "thorough": Recipe(
        epochs=40,
        batch_size=256,
        lr=8e-3,
        weight_decay=0.05,
        label_smoothing=0.1,
        augmentation="flip,shift:2",
        tta="flip",
        precision="auto",
        validation=0.0,
        evaluate_every=5,
    ),
}


def preset(name: str) -> Recipe:
    """One of `PRESETS` by name.

    Raises:
        UserError: no such preset.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise UserError(f"no preset {name!r}{did_you_mean(str(name), PRESETS)}")
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
    table = values.get("recipe", values)
    if not isinstance(table, dict):
        raise UserError(f"{path}: recipe must be a table, [recipe], not {table!r}")
    return Recipe.from_dict(table)


def to_toml(recipe: Recipe) -> str:
    """The recipe as the TOML file that `read_recipe` reads: one table, `[recipe]`."""
    import tomli_w

    return tomli_w.dumps({"recipe": recipe.to_dict()})
