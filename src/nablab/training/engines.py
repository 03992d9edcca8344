"""Which engine trains a model: PyTorch, or our own on NumPy (`numpy:lenet`)."""

from __future__ import annotations

from nablab.errors import UserError
from nablab.models.model import Model
from nablab.training.feed import TrainingData
from nablab.training.recipe import Recipe
from nablab.training.start import Start
from nablab.training.trainable import Trainable


def make_trainable(model: Model, data: TrainingData, recipe: Recipe, start: Start | None = None) -> Trainable:
    """A network or module with its initial weights, on the engine that it is for.

    PyTorch is imported for the models that need it only.

    Args:
        start: trained weights that it starts from, where the model names some (`Model.start`).

    Raises:
        UserError: an estimator, a module without parameters, or what the engine cannot do; a start that
            does not fit, or frozen layers that the network has not.
    """
    check_engine(model, recipe)
    if model.start and start is None:
        raise UserError(
            f"{model.reference} starts from trained weights, which only train and compare do; "
            f"leave out @{model.start}"
        )
    if model.engine == "numpy":
        from nablab.training import numpy_trainable

        return numpy_trainable.make_trainable(model, data, recipe, start)
    from nablab.training import torch_trainable

    return torch_trainable.make_trainable(model, data, recipe, start)


def check_engine(model: Model, recipe: Recipe) -> None:
    """Refuse what the engine of a model cannot do.

    Raises:
        UserError: the NumPy engine was asked for another device than the CPU, or for another precision than
            float32.
    """
    if model.engine != "numpy":
        return
    if recipe.device not in ("auto", "cpu"):
        raise UserError(f"{model.reference} computes on the CPU; use --device cpu, not {recipe.device}")
    if recipe.precision not in ("auto", "float32"):
        raise UserError(
            f"{model.reference} computes in float32; use --precision float32, not {recipe.precision}"
        )
