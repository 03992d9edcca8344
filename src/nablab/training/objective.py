"""What a step descends: cross entropy with label smoothing and class weights, and what is added to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nablab.training.class_weights import balanced
from nablab.training.recipe import Recipe

#: Their scales and shifts are no weights in the sense of L1.
NORMALISATIONS = (
    nn.modules.batchnorm._NormBase,  # batch and instance normalisation
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


@dataclass(frozen=True, eq=False)
class Objective:
    """The part of the objective that is computed from logits.

    Attributes:
        label_smoothing: share of each target that is spread over all classes (Szegedy et al. 2016).
        class_weights: float32 (K,) on the device, or None.
    """

    label_smoothing: float
    class_weights: Tensor | None

    def __call__(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The objective, and the plain mean cross entropy in nats to report; logits (B, K), y (B,)."""
        if self.label_smoothing == 0 and self.class_weights is None:
            plain = functional.cross_entropy(logits, y)
            return plain, plain.detach()
        objective = functional.cross_entropy(
            logits, y, weight=self.class_weights, label_smoothing=self.label_smoothing
        )
        return objective, functional.cross_entropy(logits.detach(), y)


def make_objective(recipe: Recipe, class_counts: NDArray[np.int64], device: torch.device) -> Objective:
    """The objective of a recipe; `class_counts` (K,) are those of the training images."""
    weights = None
    if recipe.class_weights == "balanced":
        weights = torch.from_numpy(balanced(class_counts)).to(device)
    return Objective(recipe.label_smoothing, weights)


def penalised(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that L1 draws to zero: those of two or more axes outside normalisation layers.

    Biases, scales, shifts and PReLU's slopes are left alone.
    """
    of_norms = {id(p) for m in module.modules() if isinstance(m, NORMALISATIONS) for p in m.parameters()}
    return [p for p in module.parameters() if p.requires_grad and p.ndim >= 2 and id(p) not in of_norms]


@torch.no_grad()
def add_l1_gradient(parameters: Sequence[Tensor], strength: float) -> None:
    """Add the gradient of strength x sum |w| to the gradients; 0 where w is 0."""
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.add_(parameter.sign(), alpha=strength)
