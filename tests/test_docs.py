"""What README and guide tell a reader to type is what nablab understands; their Python runs as doctests."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from nablab.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("guide/*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands() -> list[str]:
    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
    examples = [line.strip() for line in help_examples()]
    return sorted({line for line in (*lines, *examples) if line.startswith("nablab ")})


def help_examples() -> list[str]:
    texts = [app[name].help_epilogue or "" for name in app if not name.startswith("-")]
    return [line for text in texts for line in text.splitlines()]


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 25
    assert any("--dry-run" in line for line in commands())


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
