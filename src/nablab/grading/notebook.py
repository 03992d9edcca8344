"""A notebook as frozen values, read without trusting it: nothing in it is run, rendered or followed."""

from __future__ import annotations

import ast
import binascii
import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nablab.errors import UserError
from nablab.grading.confine import read_limited
from nablab.grading.verdict import plain

#: A delivery of seven networks with all its pictures is some 5 MiB.
LARGEST = 64 * 2**20

#: Pictures in pixels that are looked at; SVG is text.
_PICTURES = ("image/png", "image/jpeg")
#: Characters of a cell that are read as Python.
_LONGEST_CODE = 100_000


@dataclass(frozen=True)
class Output:
    """What a cell put out.

    Attributes:
        kind: `stream`, `display_data`, `execute_result` or `error`.
        texts: by MIME type; streams are `text/plain`, errors their name and value.
        pictures: PNG and JPEG files as bytes.
        count: the number of an `execute_result`.
    """

    kind: str
    texts: Mapping[str, str] = field(default_factory=dict)
    pictures: tuple[bytes, ...] = ()
    count: int | None = None

    @property
    def drawn(self) -> bool:
        """Whether it shows a picture."""
        return bool(self.pictures) or "image/svg+xml" in self.texts


@dataclass(frozen=True)
class Cell:
    """A cell. `number` counts all cells from 1; `count` is what stands in the brackets of code cells."""

    number: int
    kind: str  #: `markdown`, `code` or `raw`
    source: str
    count: int | None = None
    outputs: tuple[Output, ...] = ()

    @property
    def where(self) -> str:
        return f"cell {self.number}" if self.count is None else f"cell {self.number}, In [{self.count}]"


@dataclass(frozen=True)
class Notebook:
    """A delivery, not checked yet."""

    path: Path
    cells: tuple[Cell, ...]

    @property
    def code(self) -> tuple[Cell, ...]:
        """The code cells that hold anything."""
        return tuple(cell for cell in self.cells if cell.kind == "code" and cell.source.strip())


def read_notebook(path: Path) -> Notebook:
    """The notebook in a file.

    Raises:
        UserError: no file, too large, not JSON, or not a notebook of format 4; in one line.
    """
    try:
        text = read_limited(path, LARGEST).decode("utf-8")
        values = json.loads(text, parse_constant=lambda constant: None)  # pictures' data may hold NaN
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a notebook: {error}") from error
    except RecursionError as error:
        raise UserError(f"{path} is not a notebook: its JSON is nested too deeply") from error
    except ValueError as error:
        raise UserError(f"{path} is not a notebook: {plain(error)}") from error
    try:
        return Notebook(path, tuple(_cells(values)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} is not a notebook of format 4: {type(error).__name__} {plain(error)}"
        ) from error


def _cells(values: Any) -> Iterator[Cell]:
    if values["nbformat"] != 4:
        raise ValueError(f"nbformat is {values['nbformat']!r}")
    for number, cell in enumerate(values["cells"], start=1):
        kind, source = cell["cell_type"], _text(cell["source"])
        if kind not in ("markdown", "code", "raw"):
            raise ValueError(f"cell {number} is of type {kind!r}")
        if kind != "code":
            yield Cell(number, kind, source)
            continue
        outputs = tuple(_output(output) for output in cell.get("outputs", ()))
        yield Cell(number, kind, source, _count(cell.get("execution_count")), outputs)


def _output(values: Any) -> Output:
    kind = _text(values["output_type"])
    if kind == "stream":
        return Output(kind, {"text/plain": _text(values["text"])})
    if kind == "error":
        return Output(kind, {"text/plain": f"{_text(values['ename'])}: {_text(values['evalue'])}"})
    data = values.get("data", {})
    texts = {mime: _text(value) for mime, value in data.items() if _is_text(value) and mime not in _PICTURES}
    pictures = tuple(_picture(_text(data[mime])) for mime in _PICTURES if mime in data)
    return Output(kind, texts, pictures, _count(values.get("execution_count")))


def _is_text(value: Any) -> bool:
    """Whether it is a text, or the lines of one; JSON may be anything."""
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value))


def _picture(text: str) -> bytes:
    try:
        return b64decode(text, validate=False)
    except binascii.Error:
        return b""  # not a picture; whoever looks for one does not find it


def _text(value: Any) -> str:
    """A text, or the lines of one; half characters, which no file could hold, replaced."""
    whole = value if isinstance(value, str) else "".join(value)
    return whole.encode("utf-8", "replace").decode("utf-8")


def _count(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise TypeError(f"an execution count is {value!r:.40}")


def tree_of(cell: Cell) -> ast.Module | None:
    """The syntax tree of a code cell, without its magics; None where it is not Python. Nothing is run."""
    if len(cell.source) > _LONGEST_CODE:
        return None
    lines = ["" if line.lstrip().startswith(("%", "!")) else line for line in cell.source.splitlines()]
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def folders_named(notebook: Notebook) -> tuple[tuple[Cell, str], ...]:
    """The folders of results that its cells read (`nablab.results("...")`) or train into (`out="..."`).

    Only literal texts count: what a program would compute is not known without running it.
    """
    found = []
    for cell in notebook.code:
        for node in ast.walk(tree_of(cell) or ast.Module([], [])):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                value = _folder(node, node.func.attr)
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found.append((cell, value.value))
    return tuple(found)


def _folder(call: ast.Call, name: str) -> ast.expr | None:
    if name == "results":
        return call.args[0] if call.args else None
    if name in ("compare", "train"):
        return next((keyword.value for keyword in call.keywords if keyword.arg == "out"), None)
    return None
