"""The options that several commands share, and how their texts are read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter, Token

from nablab.cli.streams import reader_may_leave
from nablab.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.data.dataset import Dataset

IMAGES = Group("Images", sort_key=2)
RUNS = Group("Runs", sort_key=3)
RESULTS = Group("Results", sort_key=4)
RECIPE = Group("Recipe", "How networks train. What is not given comes from --preset.", sort_key=5)
OUTPUT = Group("Output", sort_key=6)

#: Characters a line where stdout is not a terminal.
PIPE_WIDTH = 140


def option(group: Group, text: str, **more: Any) -> Parameter:
    """An option of a group with its help."""
    return Parameter(group=group, help=text, **more)


def read_numbers(_: Any, tokens: Sequence[Token]) -> tuple[float, ...]:
    """`0.01,0.1,1` as numbers."""
    return tuple(_number(float, part, token) for token in tokens for part in token.value.split(","))


def read_seeds(_: Any, tokens: Sequence[Token]) -> int | tuple[int, ...]:
    """`3` as how many, `0,2,5` as which."""
    parts = [_number(int, part, token) for token in tokens for part in token.value.split(",")]
    return parts[0] if len(parts) == 1 else tuple(parts)


def read_whole(_: Any, tokens: Sequence[Token]) -> int:
    """`3`; nothing is rounded."""
    return int(_number(int, tokens[0].value, tokens[0]))


def read_jobs(_: Any, tokens: Sequence[Token]) -> int | str:
    """`auto`, or how many."""
    return "auto" if tokens[0].value == "auto" else _number(int, tokens[0].value, tokens[0])


def _number(kind: type[Any], text: str, token: Token) -> Any:
    try:
        return kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise UserError(f"{token.keyword} {token.value}: {text!r} is not {what}") from None


Fractions = Annotated[
    tuple[float, ...] | None,
    option(
        RUNS,
        "Shares of the full training set, e.g. 0.01,0.1,1.",
        converter=read_numbers,
        n_tokens=1,
        metavar="F,F",
    ),
]
Seeds = Annotated[
    int | tuple[int, ...] | None,
    option(
        RUNS, "How many runs of each, or which: 0,2,5. [3]", converter=read_seeds, n_tokens=1, metavar="N"
    ),
]
Jobs = Annotated[
    int | str | None,
    option(
        RUNS,
        "Runs at a time; 1 gives the cleanest times. [auto]",
        converter=read_jobs,
        n_tokens=1,
        metavar="N",
    ),
]
Fast = Annotated[bool, option(RUNS, "Let scikit-learn-intelex fit estimators, where it is installed.")]
TestFraction = Annotated[float | None, option(RUNS, "Share of the test set. [1]")]
Out = Annotated[Path | None, option(RESULTS, "Folder for the results. [runs/TIME-NAME]")]
Init = Annotated[
    Path | None,
    option(
        RUNS,
        "Start from the weights of a run, or of a .safetensors file; lenet@RUN does so for one model.",
    ),
]
Preset = Annotated[
    str | None, option(RECIPE, "Where to start from: default, handout, fast or thorough. [default]")
]


@Parameter(name="*", group=IMAGES)
@dataclass(frozen=True)
class DataOptions:
    """Which images."""

    data: Annotated[
        str | None,
        Parameter(
            help="A name (nablab data list), a folder of class folders, a .csv or .npz. [fashion-mnist]"
        ),
    ] = None
    size: Annotated[
        int | None, Parameter(help="Bring pictures to this many pixels a side.", converter=read_whole)
    ] = None
    color: Annotated[str | None, Parameter(help="Read pictures as grey or rgb.")] = None
    group: Annotated[
        str | None,
        Parameter(help="Keep pictures together whose names match this pattern alike: 'burst[0-9]+'."),
    ] = None

    def load(self, *, progress: bool = True) -> Dataset | None:
        """The data that was named; None when none was.

        Args:
            progress: shows a bar where pictures are decoded for long.

        Raises:
            UserError: it cannot be loaded.
        """
        import nablab

        if self.data is not None:
            return nablab.load(
                self.data, size=self.size, color=self.color, group=self.group, progress=progress
            )
        if (self.size, self.color, self.group) != (None, None, None):
            raise UserError("--size, --color and --group say how to read pictures; give them with --data")
        return None


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True)
class OutputOptions:
    """What is printed."""

    quiet: Annotated[bool, Parameter(help="Show no progress.")] = False
    json: Annotated[bool, Parameter(help="Print the result as one JSON document.")] = False
    debug: Annotated[bool, Parameter(help="Show the traceback of an error.")] = False

    def show(self, result: RenderableType, document: object) -> None:
        """Print `result` for people, or `document` for programs.

        Where nobody reads any more (`| head`), nothing is printed, and the command goes on with its work.
        """
        with reader_may_leave() as stream:
            if self.json:
                print(_json_text(document, stream.encoding), file=stream)
            elif isinstance(result, str):  # as it is: a path in it is to be copied, and is no markup
                print(result)
            else:
                _print_rich(result)

    def working(self, what: str) -> AbstractContextManager[object]:
        """Says on a terminal what is being done, for as long as it takes; nothing elsewhere."""
        if self.quiet or not sys.stderr.isatty():
            return nullcontext()
        from rich.console import Console

        return Console(stderr=True).status(what)


def _json_text(document: object, encoding: str | None) -> str:
    """JSON with its characters as they are, or as escapes where the encoding has no place for one of them."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(document, indent=2)
    return text


def _print_rich(result: RenderableType) -> None:
    from rich.console import Console

    class Printer(Console):
        def on_broken_pipe(self) -> None:  # it would end the process
            raise BrokenPipeError

    # In a file or a pipe nothing is narrow, and a table should not lose its columns.
    apart = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    Printer(width=PIPE_WIDTH if apart else None).print(result)


def check_alone(what: str, models: Sequence[str], images: DataOptions, asked: Mapping[str, Any]) -> None:
    """Refuse options that would be ignored: what goes on does so with what it had.

    Raises:
        UserError: something was asked for that `what` does not take.
    """
    options = (*asked.items(), *asdict(images).items())
    extra = [*models, *(f"--{name.replace('_', '-')}" for name, value in options if value is not None)]
    if extra:
        raise UserError(f"{what} goes on as that comparison was planned; leave out {' '.join(extra)}")


def by_intelex(models: tuple[str, ...]) -> tuple[str, ...]:
    """The models of `--fast`: scikit-learn-intelex is to fit its estimators.

    Raises:
        UserError: there is none among them.
    """
    from nablab.models.reference import faster

    changed = tuple(map(faster, models))
    if changed == models:
        raise UserError("--fast is for estimators of scikit-learn; name one, as in nablab train svc --fast")
    return changed
