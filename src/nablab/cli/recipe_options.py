"""Every field of `Recipe` as an option: names, types and defaults are the recipe's, only the help is here."""

from __future__ import annotations

from dataclasses import Field, field, fields, make_dataclass
from typing import Annotated, Any, get_type_hints

from cyclopts import Parameter

from nablab.cli.options import RECIPE, read_whole
from nablab.training.recipe import Recipe

HELP = {
    "epochs": "Passes over the training images.",
    "batch_size": "Images a step.",
    "optimizer": "What takes the steps.",
    "lr": "Learning rate; with one_cycle its peak.",
    "momentum": "Of sgd and rmsprop.",
    "nesterov": "Nesterov's momentum, for sgd.",
    "beta1": "Adam's decay of the mean of gradients.",
    "beta2": "Adam's decay of the mean of squares.",
    "schedule": "How the learning rate moves.",
    "step_size": "Epochs between falls of step.",
    "gamma": "Factor of step and plateau.",
    "warmup": "Share of all steps that one_cycle rises.",
    "plateau_patience": "Epochs that plateau waits.",
    "weight_decay": "L2: lambda, added as lambda*w to the gradient; decoupled in adamw.",
    "l1": "L1: lambda * sum |w|, added to the loss.",
    "label_smoothing": "Share of a target spread over all classes.",
    "clip_norm": "Largest norm of the gradient; 0 is none.",
    "averaging": "Measure and keep averaged weights.",
    "ema_decay": "Decay of ema a step.",
    "class_weights": "Weigh rare classes more.",
    "augmentation": "Any of flip,shift:2,crop:0.6,rotate:10,scale:0.1,brightness:0.2,erase:8.",
    "tta": "flip: score images by the mean of two, as they are and mirrored.",
    "preprocessing": "How values are scaled; init: as in the run that --init names.",
    "freeze": "Layers that keep the weights they start with, e.g. 0,3 or 'features.*'.",
    "layer_decay": "Layer-wise learning rate decay: factor for each layer away from the head.",
    "new_head": "Replace the last layer of --init also where it fits.",
    "early_stopping": "Stop after this many epochs without a better validation loss; 0 is never.",
    "validation": "Share of the training images held out; 0 is none.",
    "split_seed": "Draws what fractions and validation are cut from.",
    "seed": "The first seed: weights, order, augmentation, dropout.",
    "device": "auto, cpu, cuda or mps.",
    "precision": "Number format of training.",
    "threads": "Threads a run computes with; 0 lets nablab decide.",
    "evaluate_every": "Epochs between measurements.",
    "train_sample": "Training images measured on frozen weights.",
}


def _option(recipe_field: Field[Any], hint: Any) -> tuple[str, Any, Any]:
    default = recipe_field.default
    shown = HELP[recipe_field.name] + (f" [{default}]" if default != "" and default is not False else "")
    option = Parameter(help=shown, converter=read_whole if hint is int else None)
    return recipe_field.name, Annotated[hint | None, option], field(default=None)


def _options() -> list[tuple[str, Any, Any]]:
    hints = get_type_hints(Recipe)
    return [_option(f, hints[f.name]) for f in fields(Recipe)]


#: A dataclass with the fields of `Recipe`, all None: what is not given is left to the preset.
RecipeOptions: Any = Parameter(name="*", group=RECIPE)(
    make_dataclass("RecipeOptions", _options(), frozen=True, namespace={"__module__": __name__})
)


def given(options: Any) -> dict[str, Any]:
    """The values that were given on the command line."""
    return {f.name: value for f in fields(Recipe) if (value := getattr(options, f.name)) is not None}
