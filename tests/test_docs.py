"""What README and guide tell a reader to type is what nablab understands; their Python runs as doctests."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from nablab.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("guide/*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands() -> list[str]:
    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
    examples = [line.strip() for line in help_examples()]
    return sorted({line for line in (*lines, *examples) if line.startswith("nablab ")})


def helped(commands: App = app, above: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every command with the examples at the end of its help; groups of commands before what is in them."""
    for name in commands:
        if not name.startswith("-"):
            command = commands[name]
            yield " ".join((*above, name)), str(command.help_epilogue or "")
            yield from helped(command, (*above, name))


def help_examples() -> list[str]:
    return [line for _, text in helped() for line in text.splitlines()]


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 25
    assert any("--dry-run" in line for line in commands())


@pytest.mark.parametrize(("command", "text"), [pytest.param(*pair, id=pair[0]) for pair in helped()])
def test_help_shows_examples_of_the_command_that_was_asked_about(command: str, text: str) -> None:
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0] == "Examples:"
    assert all(line.startswith(f"nablab {command}") for line in lines[1:])


@pytest.mark.parametrize("line", commands())
def test_every_command_shown_is_understood(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    app.parse_args(words, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_shown_is_python_and_its_names_are_public(page: Path) -> None:
    import nablab

    for block in blocks(page, "python"):
        if ">>>" in block:
            continue  # runs as a doctest
        for node in ast.walk(ast.parse(block)):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "nablab"
            ):
                assert node.attr in nablab.__all__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
