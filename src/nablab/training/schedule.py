"""Learning rates as pure functions of where the training stands."""

from __future__ import annotations

import math

from nablab.training.recipe import Recipe
from nablab.training.state import Watch


def lr(recipe: Recipe, global_step: int, steps_per_epoch: int, watch: Watch) -> float:
    """The learning rate of a step.

    With T = epochs x steps_per_epoch, t = global_step and e = t // steps_per_epoch:

    - `constant`: lr
    - `step`: lr gamma^(e // step_size), as `torch.optim.lr_scheduler.StepLR` by epochs
    - `cosine`: lr (1 + cos(pi t / T)) / 2, as `CosineAnnealingLR` with T_max = T by steps
      (Loshchilov and Hutter 2017, without restarts)
    - `one_cycle`: with p = (t + 1) / (T + 1), which is inside (0, 1) so that no step is lost to a rate of 0,
      lr p / warmup while p < warmup, then lr (1 + cos(pi (p - warmup) / (1 - warmup))) / 2 (Smith 2018).
      `OneCycleLR` differs: it starts at lr / 25, rises by a cosine unless told otherwise, ends at
      lr / 250,000, and also cycles the momentum, which stays as it is here
    - `plateau`: lr gamma^falls, as `ReduceLROnPlateau` with patience = plateau_patience - 1, threshold = 0

    Args:
        global_step: steps done before this one, since the start of the run.
        watch: how often the plateau schedule has fallen.
    """
    match recipe.schedule:
        case "constant":
            return recipe.lr
        case "step":
            return recipe.lr * recipe.gamma ** (global_step // steps_per_epoch // recipe.step_size)
        case "cosine":
            return recipe.lr * _fall(global_step / (recipe.epochs * steps_per_epoch))
        case "one_cycle":
            progress = (global_step + 1) / (recipe.epochs * steps_per_epoch + 1)
            if progress < recipe.warmup:
                return recipe.lr * progress / recipe.warmup
            return recipe.lr * _fall((progress - recipe.warmup) / (1 - recipe.warmup))
        case "plateau":
            return recipe.lr * recipe.gamma**watch.plateau_falls


def watched(watch: Watch, recipe: Recipe, epoch: int, validation_loss: float) -> Watch:
    """What has been seen once epoch `epoch` (from 1) had this validation loss."""
    if watch.best_loss is None or validation_loss < watch.best_loss:
        return Watch(validation_loss, epoch, 0, watch.plateau_falls)
    waited, falls = watch.plateau_waited + 1, watch.plateau_falls
    if waited >= recipe.plateau_patience:
        waited, falls = 0, falls + 1
    return Watch(watch.best_loss, watch.best_epoch, waited, falls)


def _fall(progress: float) -> float:
    """Half a cosine from 1 at 0 to 0 at 1."""
    return (1 + math.cos(math.pi * progress)) / 2
