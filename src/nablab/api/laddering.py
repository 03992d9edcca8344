"""The ladder, from what a user names to a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nablab.api.planning import DEFAULT_DATA
from nablab.api.sheet import Sheet, as_text
from nablab.errors import UserError
from nablab.report import words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.data.dataset import Dataset
    from nablab.training.ladder import Climb


#: Gradients of `nablab train` are told by what moved: at smaller rates rounding would look like a difference.
SMALLEST_RATE = 1e-4


@dataclass(frozen=True, eq=False)
class Ladder:
    """One training, written in several ways. Shows itself in a terminal and in a notebook.

    Attributes:
        label: of the network.
        climb: the differences of every step and rung, as plain data.
    """

    label: str
    climb: Climb

    @property
    def agrees(self) -> bool:
        """Whether all rungs found the same in every step, but for rounding."""
        return self.climb.agrees

    def sheet(self) -> Sheet:
        """A row for each step and rung; below, why a rung differs, or that it is rounding."""
        rows = tuple(
            (d.rung, str(d.step), f"{d.value:.6f}", *(_apart(x) for x in (d.loss, d.gradients, d.weights)))
            for d in self.climb.differences
        )
        headings = ("rung", "step", "loss", "loss apart", "gradients apart", "weights apart")
        return Sheet(headings, rows, f"{self.label}: {self.summary}", self._notes(), frozenset(headings[1:]))

    @property
    def summary(self) -> str:
        """The answer in a line."""
        differing = [name for name in self.climb.rungs if not self.climb.rung_agrees(name)]
        if not differing:
            return f"all {len(self.climb.rungs)} rungs agree"
        verb = "differs" if len(differing) == 1 else "differ"
        return f"{words.listed(differing)} {verb} from {self.climb.rungs[0]}"

    def document(self) -> dict[str, Any]:
        """As plain data, as `--json` prints it."""
        return {
            "model": self.label,
            "agrees": self.agrees,
            "rungs": list(self.climb.rungs),
            "causes": dict(self.climb.causes),
            "in_double": {rung: _finite(apart) for rung, apart in self.climb.in_double.items()},
            "steps": [
                {name: _finite(value) for name, value in asdict(difference).items()}
                for difference in self.climb.differences
            ],
        }

    def __rich__(self) -> RenderableType:
        return self.sheet()

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return self.sheet()._repr_html_()

    def _notes(self) -> tuple[str, ...]:
        causes = (f"{rung}: {cause}" for rung, cause in self.climb.causes.items())
        return (
            *causes,
            *self._in_double(),
            f"differences are relative to the largest number of {self.climb.rungs[0]}",
        )

    def _in_double(self) -> Iterator[str]:
        """What double precision says of rungs that differ in single."""
        for rung, apart in self.climb.in_double.items():
            if self.climb.rung_agrees(rung):
                yield f"{rung}: agrees: the difference is rounding, {apart:.1e} in double precision"
            elif rung not in self.climb.causes:
                yield f"{rung}: differs, and not by rounding: {apart:.1e} in double precision"


def ladder(
    model: Any,
    data: str | Path | Dataset | None = None,
    *,
    steps: int = 5,
    rungs: Mapping[str, Any] | None = None,
    lr: float = 0.1,
    batch_size: int = 64,
    seed: int = 0,
) -> Ladder:
    """Train one network in several ways, from the same weights on the same batches, and compare every step.

    The rungs are: by hand (where the network is linear layers with one kind of activation between them), our
    engine, PyTorch with updates by hand, with `torch.optim`, and what `nablab train` does. All are plain
    gradient descent on the cross entropy.

    Args:
        model: a network of the layer language, or its name; without dropout.
        data: as `load` takes it; by default Fashion-MNIST.
        steps: how many.
        rungs: your own, by name: losses of (logits, labels), PyTorch's tensors, or `file.py:function`.
        lr: learning rate.
        batch_size: images a step.
        seed: draws the weights and the batches.

    Raises:
        UserError: no network of the layer language, or one with dropout; a loss that fails; a rate so small
            that float32 hides what it moves.
    """
    from nablab.api.sources import load
    from nablab.data.split import split
    from nablab.models.reference import resolve
    from nablab.training.feed import prepare
    from nablab.training.ladder import climb, plain

    if isinstance(steps, bool) or not isinstance(steps, Integral) or steps < 1:
        raise UserError(f"steps must be a whole number from 1, not {steps!r:.80}")
    recipe = plain(lr, batch_size, seed)
    if lr < SMALLEST_RATE:
        raise UserError(
            f"lr must be {SMALLEST_RATE:g} or more, not {lr:g}: float32 loses smaller moves of the weights"
        )
    resolved = resolve(model)
    dataset = load(DEFAULT_DATA if data is None else data)
    prepared = prepare(dataset, split(dataset, validation=0.0), recipe)
    losses = {name: _loss(loss) for name, loss in (rungs or {}).items()}
    return Ladder(resolved.label, climb(resolved, prepared, recipe, steps, losses))


def _loss(loss: Any) -> Any:
    """A function, or the one that `file.py:function` names."""
    if callable(loss):
        return loss
    from nablab.models.user_code import load_file

    path, _, name = str(loss).rpartition(":")
    if not path.endswith(".py"):
        raise UserError(f"{loss!r} is no loss; name a function in a file, as in my_loss.py:loss")
    function = getattr(load_file(path), name, None)
    if not callable(function):
        raise UserError(f"{path} has no function {name}")
    return function


def _finite(value: Any) -> Any:
    """JSON has no word for a loss that diverged."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _apart(difference: float) -> str:
    return f"{difference:.1e}" if difference else "0"
