"""How far the running average of the weights moves after each step."""

from __future__ import annotations

from nablab.training.recipe import Recipe

#: The share of all steps, counted from the end, that `tail` averages over.
TAIL = 0.25


def rate(recipe: Recipe, global_step: int, total_steps: int) -> float | None:
    """The share of the way that the average moves towards the weights after this step; None: no average yet.

    The first rate starts the average at the weights, whatever its value.

    - `ema`: 1 - min(decay, (1 + t) / (10 + t)), t = global_step: the decay grows to its value so that the
      first weights are soon forgotten (as TensorFlow's ExponentialMovingAverage with num_updates).
    - `tail`: 1 / k at the k-th step of the last quarter of all steps, which is their plain mean (Polyak and
      Juditsky 1992, Izmailov et al. 2018).

    Args:
        global_step: steps done before this one.
        total_steps: of the whole run.
    """
    match recipe.averaging:
        case "none":
            return None
        case "ema":
            return 1 - min(recipe.ema_decay, (1 + global_step) / (10 + global_step))
        case "tail":
            start = int(total_steps * (1 - TAIL))
            return 1 / (global_step - start + 1) if global_step >= start else None
