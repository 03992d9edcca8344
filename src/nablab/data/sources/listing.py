"""Picture files with their labels, before any is decoded: what a folder or a table comes down to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Array, Dataset, make_dataset
from nablab.data.sources.labels import refuse_control
from nablab.data.split import cut_off_test
from nablab.errors import UserError, has_control

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Listing:
    """N picture files in their original order.

    Attributes:
        name: of the data set they make.
        place: the folder or file they come from, as the user wrote it; errors begin with it.
        kind: `folder` or `file`, for the line that says where the data came from.
        files: (N,) where the pictures are.
        labels: (N,) each in `range(len(classes))`.
        classes: the names of the classes.
        in_test: (N,) whether each is for testing; None where a test set has to be cut off.
        groups: (N,) pictures that stay on one side of every split share a number; or None.
        collection: what they are known as; empty for a person's own pictures.
    """

    name: str
    place: Path
    kind: str
    files: tuple[Path, ...]
    labels: Rows
    classes: tuple[str, ...]
    in_test: NDArray[np.bool_] | None = None
    groups: Rows | None = None
    collection: str = ""

    @property
    def source(self) -> str:
        """Where the pictures came from, in one line, without the folders above."""
        known_as = f"{self.collection}: " if self.collection else ""
        return f"{known_as}{len(self.files):,} pictures in {self.kind} {self.place.resolve().name}"

    def only(self, kept: NDArray[np.bool_]) -> Listing:
        """The pictures that `kept` (N,) marks."""
        return replace(
            self,
            files=tuple(file for file, keep in zip(self.files, kept, strict=True) if keep),
            labels=self.labels[kept],
            in_test=None if self.in_test is None else self.in_test[kept],
            groups=None if self.groups is None else self.groups[kept],
        )

    def parts(self) -> tuple[Rows, Rows]:
        """The rows that train and those that test; a stratified fifth tests where nothing else is said.

        Raises:
            UserError: a class without a training picture, a group in both parts, too few pictures; names that
                cannot be stored.
        """
        if has_control(self.name):
            raise UserError(f"{self.place}: its name has control characters or broken UTF-8; rename it")
        refuse_control(self.classes, str(self.place))
        if self.in_test is None:
            self._refuse_empty_classes(self.labels)
            return cut_off_test(self.labels, self.groups, str(self.place))
        train, test = np.flatnonzero(~self.in_test), np.flatnonzero(self.in_test)
        self._refuse_empty_classes(self.labels[train])
        self._refuse_shared_groups(train, test)
        return train, test

    def dataset(self, read: Callable[[Rows], Array]) -> Dataset:
        """The data set of the pictures, whose two parts are views of what is read, and no copies.

        Args:
            read: decodes all pictures to (N, C, H, W), picture i in row `rows[i]` of it; called once it is
                known that they can be split.

        Raises:
            UserError: as `parts`.
        """
        train, test = self.parts()
        pixels = read(np.argsort(np.concatenate([train, test])))
        return make_dataset(
            self.name,
            pixels[: len(train)],
            self.labels[train],
            pixels[len(train) :],
            self.labels[test],
            self.classes,
            source=self.source,
            groups=None if self.groups is None else self.groups[train],
        )

    def _refuse_empty_classes(self, labels: Rows) -> None:
        empty = np.flatnonzero(np.bincount(labels, minlength=len(self.classes)) == 0)
        if len(empty):
            raise UserError(f"{self.place}: class {self.classes[empty[0]][:80]!r} has no picture to train on")

    def _refuse_shared_groups(self, train: Rows, test: Rows) -> None:
        if self.groups is None:
            return
        shared = np.intersect1d(self.groups[train], self.groups[test])
        if len(shared):
            sides = [self.files[rows[self.groups[rows] == shared[0]][0]].name for rows in (train, test)]
            raise UserError(
                f"{self.place}: {len(shared)} groups are in both train and test, e.g. {sides[0]} and "
                f"{sides[1]}; move each to one side, or leave group out"
            )


def in_order(names: Sequence[str]) -> list[str]:
    """Names of classes in alphabetical order; by number where all are numbers, so that 10 comes after 9."""
    numbered = all(name.isdecimal() for name in names)
    return sorted(names, key=lambda name: (int(name) if numbered else 0, name))


def groups_by_name(files: Sequence[Path], pattern: str) -> Rows:
    """A number a picture (N,), the same for what the pattern finds to be the same in file names.

    Args:
        pattern: a regular expression; what its first group (or its whole match) finds is compared. A name
            that does not match stands alone.

    Raises:
        UserError: no regular expression, or one that matches nothing.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f"group {pattern!r} is not a regular expression: {error}") from error
    matches = [expression.search(file.name) for file in files]
    if not any(matches):
        raise UserError(f"group {pattern!r} matches no file name, such as {files[0].name}")
    return numbered([match and (match.group(1 if expression.groups else 0) or "") for match in matches])


def numbered(keys: Sequence[str | None]) -> Rows:
    """A number for each key (N,), the same for equal ones; None is equal to nothing.

    >>> numbered(["ann", "bob", None, "ann", None]).tolist()
    [0, 1, 2, 0, 3]
    """
    distinct = [("alone", str(row)) if key is None else ("group", key) for row, key in enumerate(keys)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(distinct))}
    return np.array([numbers[key] for key in distinct], dtype=np.int64)
