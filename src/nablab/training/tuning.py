"""What of a network is trained, and how fast: frozen layers, and learning rates that fall with depth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from nablab.models.model import LayerRow
from nablab.models.parts import Freeze, depths, freezing, of_parameter
from nablab.training.recipe import Recipe

P = TypeVar("P")


@dataclass(frozen=True)
class Tuning:
    """Which layers a training moves, and by which share of its learning rate.

    Attributes:
        freeze: the layers that stay as they are.
        decay: layer-wise learning rate decay: what the rate is multiplied by for each step from the head
            towards the images (Howard and Ruder 2018, "discriminative fine-tuning", with 1/2.6).
        steps: how many such steps each layer is away from the head.
    """

    freeze: Freeze = field(default_factory=Freeze)
    decay: float = 1.0
    steps: dict[str, int] = field(default_factory=dict)

    def is_frozen(self, name: str) -> bool:
        """Whether the parameter of this name stays as it is."""
        return self.freeze(name.rpartition(".")[0])

    def groups(self, parameters: Iterable[tuple[str, P]]) -> list[tuple[float, list[P]]]:
        """The parameters that are trained, by the share of the learning rate that moves them.

        The head's comes last. Without a decay there is one group, of share 1.
        """
        by_steps: dict[int, list[P]] = {}
        deepest = max(self.steps.values(), default=0)
        for name, parameter in parameters:
            if not self.is_frozen(name):
                steps = 0 if self.decay == 1 else of_parameter(name, self.steps, deepest)
                by_steps.setdefault(steps, []).append(parameter)
        return [(self.decay**steps, by_steps[steps]) for steps in sorted(by_steps, reverse=True)]


#: All layers, at one rate.
WHOLE = Tuning()


def tuning_of(recipe: Recipe, rows: Sequence[LayerRow], *, new_head: bool, model: str) -> Tuning:
    """What a recipe says of a network with this layer table.

    Args:
        new_head: whether the head starts from chance, so that it has to be trained.
        model: what errors call the network.

    Raises:
        UserError: a name that no layer has, or nothing left to train.
    """
    freeze = freezing(recipe.freeze, rows, new_head=new_head, model=model)
    return Tuning(freeze, recipe.layer_decay, depths(rows))


def is_partial(recipe: Recipe) -> bool:
    """Whether a recipe freezes layers, or gives them rates of their own."""
    return bool(recipe.freeze) or recipe.layer_decay != 1
