"""What the arrays of a data set are called in a `.npz`, by the habits of those who publish them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.errors import UserError

_MOST_SHOWN = 8

#: What the names of the classes are called, in any layout; the first that is there counts.
CLASSES = ("classes", "target_names", "class_names")

Arrays = dict[str, NDArray[Any]]
Pair = tuple[str, str]


@dataclass(frozen=True)
class Layout:
    """Names of samples with those of their labels; the case of names is ignored.

    Attributes:
        train: what trains.
        test: what tests; where it is not there, a part is cut off from what trains.
        validation: what counts as training, too, where it is there: nablab cuts its own from that.
    """

    train: Pair
    test: Pair
    validation: tuple[Pair, ...] = ()

    @property
    def optional(self) -> tuple[str, ...]:
        """What may be missing."""
        return (*self.test, *(name for pair in self.validation for name in pair), *CLASSES)


def _three_parts(x: str, y: str) -> Layout:
    """Training, validation and test named by patterns."""
    train, test, *validation = (
        (x.format(part), y.format(part)) for part in ("train", "test", "val", "valid", "validation")
    )
    return Layout(train, test, tuple(validation))


#: Keras has `x_train`, MedMNIST `train_images`, scikit-learn `data` with `target`.
LAYOUTS = (
    Layout(("X", "y"), ("X_test", "y_test"), (("X_val", "y_val"), ("X_valid", "y_valid"))),
    _three_parts("x_{}", "y_{}"),
    _three_parts("{}_images", "{}_labels"),
    Layout(("images", "labels"), ("test_images", "test_labels")),
    Layout(("data", "target"), ("data_test", "target_test")),
)


def layout_of(held: Sequence[str], where: str) -> Layout:
    """The layout that these names follow.

    Raises:
        UserError: they follow none, or more than one.
    """
    found = [layout for layout in LAYOUTS if _is_in(layout.train, held)]
    if len(found) > 1:
        both = ", and also ".join(" with ".join(layout.train) for layout in found)
        raise UserError(f"{where}: holds {both}; keep those that are meant alone in the file")
    if not found:
        listed = ", ".join(name[:40] for name in held[:_MOST_SHOWN]) or "nothing"
        more = ", ..." if len(held) > _MOST_SHOWN else ""
        known = ", ".join(" with ".join(layout.train) for layout in LAYOUTS)
        raise UserError(f"{where}: holds {listed}{more}; expected samples with their labels: {known}")
    _refuse_half_pairs(found[0], held, where)
    return found[0]


def by_role(named: Arrays, layout: Layout, where: str) -> Arrays:
    """Arrays by what they are for: `x`, `y`, `x_test`, `y_test`, `classes`.

    What validates follows in `x` and `y`.

    Args:
        named: by their names in lower case.

    Raises:
        UserError: samples or labels to validate with that are unlike those to train with.
    """
    roles = zip(("x", "y", "x_test", "y_test"), (*layout.train, *layout.test), strict=True)
    stored = {role: named[name.lower()] for role, name in roles if name.lower() in named}
    for pair in layout.validation:
        for role, name, more in zip(("x", "y"), layout.train, pair, strict=True):
            if more.lower() in named:
                stored[role] = _joined(stored[role], named[more.lower()], f"{where}: {name}", more)
    classes = [named[name] for name in CLASSES if name in named]
    return stored | {"classes": classes[0]} if classes else stored


def _joined(first: NDArray[Any], second: NDArray[Any], first_name: str, second_name: str) -> NDArray[Any]:
    if first.shape[1:] != second.shape[1:] or first.dtype.kind != second.dtype.kind:
        raise UserError(
            f"{first_name} is {first.dtype} {first.shape}, {second_name} {second.dtype} {second.shape}; both "
            "train, so give rows of one shape and type, or leave one of them out"
        )
    return np.concatenate([first, second])


def _refuse_half_pairs(layout: Layout, held: Collection[str], where: str) -> None:
    for pair in (layout.test, *layout.validation):
        there = [name for name in pair if _is_in([name], held)]
        if len(there) == 1:
            raise UserError(f"{where}: {pair[0]} and {pair[1]} belong together, and only {there[0]} is there")


def _is_in(names: Collection[str], held: Collection[str]) -> bool:
    return {name.lower() for name in names} <= {name.lower() for name in held}
