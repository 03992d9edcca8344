"""The rubric that deliveries are marked by: a TOML file, and the course's own by default."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from nablab.errors import UserError, did_you_mean
from nablab.grading.confine import read_limited
from nablab.grading.verdict import plain

_LARGEST = 2**20


@dataclass(frozen=True)
class Part:
    """A part of the mark: points, and the criteria that they are divided among by weight."""

    name: str
    points: float
    criteria: Mapping[str, float]


@dataclass(frozen=True)
class Rubric:
    """How deliveries are marked.

    Attributes:
        title: what the task is.
        parts: in the order of the table.
        given_models: catalog names that have to be trained.
        new_models: how many others, networks or modules of the student's own.
        least_words: from so many on, something counts as explained.
        fractions: shares of the training images at which every model has to be trained; empty: any.
    """

    title: str
    parts: tuple[Part, ...]
    given_models: tuple[str, ...] = ()
    new_models: int = 0
    least_words: int = 25
    fractions: tuple[float, ...] = ()


def default_rubric(criteria: Collection[str]) -> Rubric:
    """The course's own."""
    text = files("nablab.grading").joinpath("rubric.toml").read_text(encoding="utf-8")
    return parse_rubric(text, "rubric.toml", criteria)


def read_rubric(path: Path | str, criteria: Collection[str]) -> Rubric:
    """The rubric in a TOML file.

    Args:
        criteria: the names that there are.

    Raises:
        UserError: no such file; not TOML; a name, a number or a weight that cannot be; in one line.
    """
    content = read_limited(Path(path), _LARGEST)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: {error}") from error
    return parse_rubric(text, str(path), criteria)


def parse_rubric(text: str, where: str, criteria: Collection[str]) -> Rubric:
    """The rubric in a TOML text; `where` names it in errors.

    Raises:
        UserError: as `read_rubric`.
    """
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{where}: {plain(error)}") from error
    rubric = _validated(values, where)
    if not rubric.parts:
        raise UserError(f"{where}: it has no [[parts]]; give at least one, with name, points and criteria")
    for part in rubric.parts:
        _check_part(part, where, criteria)
    if rubric.new_models < 0 or rubric.least_words < 1:
        raise UserError(f"{where}: new_models is at least 0, least_words at least 1")
    return rubric


def _validated(values: dict[str, Any], where: str) -> Rubric:
    from pydantic import TypeAdapter, ValidationError

    _check_names(values, {f.name for f in fields(Rubric)}, where, "a rubric")
    for part in values.get("parts", ()) if isinstance(values.get("parts"), list) else ():
        if isinstance(part, dict):
            _check_names(part, {f.name for f in fields(Part)}, where, "a part")
    try:
        return TypeAdapter(Rubric).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{where}: {place}: {first['msg']}") from error


def _check_names(values: Mapping[str, Any], known: Collection[str], where: str, what: str) -> None:
    for name in values:
        if name not in known:
            raise UserError(f"{where}: {what} has no {plain(name, 60)!r}{did_you_mean(name, known)}")


def _check_part(part: Part, where: str, criteria: Collection[str]) -> None:
    if not (math.isfinite(part.points) and part.points > 0):
        raise UserError(f"{where}: {plain(part.name, 60)!r} has {part.points:g} points; give more than 0")
    if not part.criteria:
        raise UserError(
            f"{where}: {plain(part.name, 60)!r} has no criteria; there are: {', '.join(sorted(criteria))}"
        )
    for name, weight in part.criteria.items():
        if name not in criteria:
            raise UserError(f"{where}: no criterion {plain(name, 60)!r}{did_you_mean(name, criteria)}")
        if not (math.isfinite(weight) and weight > 0):
            raise UserError(f"{where}: {name} has weight {weight:g}; give more than 0, or leave it out")
