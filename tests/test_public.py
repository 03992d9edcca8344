"""What `nablab` names: all of it is there, documented, and typed."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import nablab

GUIDE = Path(__file__).parents[1] / "docs" / "guide"


def test_names_are_listed_once_and_have_a_home() -> None:
    assert nablab.__all__ == sorted(set(nablab.__all__))
    assert set(nablab.__all__) - set(nablab._MODULES) == set(nablab._HOMES)
    assert set(nablab.__all__) <= set(dir(nablab))


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        nablab.no_such_name  # noqa: B018


@pytest.mark.parametrize("name", nablab.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    value = getattr(nablab, name)
    assert inspect.getdoc(value), f"nablab.{name} has no docstring"
    if inspect.isclass(value):
        for attribute, member in vars(value).items():
            if not attribute.startswith("_") and (callable(member) or isinstance(member, property)):
                assert inspect.getdoc(member), f"nablab.{name}.{attribute} has no docstring"


@pytest.mark.parametrize("name", nablab.__all__)
def test_every_public_name_is_in_the_guide(name: str) -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in GUIDE.glob("*.md"))
    assert re.search(rf"nablab\.(\w+\.)*{name}\b", pages), f"the guide does not mention nablab.{name}"


@pytest.mark.parametrize(
    "name", [name for name in nablab.__all__ if inspect.isfunction(getattr(nablab, name))]
)
def test_every_public_function_is_annotated(name: str) -> None:
    signature = inspect.signature(getattr(nablab, name))
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(p.annotation is not inspect.Parameter.empty for p in signature.parameters.values())
