"""From the words of a command line to a command, and from what comes of it to an exit code.

0: done. 1: something ran and failed. 2: the user's mistake, nothing was run. 130: interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from cyclopts import App, CycloptsError, Parameter

from nablab import __version__
from nablab.cli.streams import stdout_for_results
from nablab.errors import NablabError
from nablab.runs.system import NOT_ON_WINDOWS

INTERRUPTED = 130

app = App(
    name="nablab",
    help="Train, compare and explain image classifiers, with numbers that can be trusted.",
    help_epilogue="Begin with: nablab compare --epochs 3",
    version=__version__,
    help_format="plaintext",
    default_parameter=Parameter(show_default=False, negative=""),
    suppress_keyboard_interrupt=False,
)


def _register(name: str, text: str, *examples: str, target: str = "") -> None:
    """The module is imported when the command is used: `nablab --help` must not wait for it."""
    app.command(
        f"nablab.cli.{name}:{target or name}",
        name=name,
        help=text,
        sort_key=len(list(app)),
        **({} if target else {"help_epilogue": "\n".join(("Examples:", *(f"  {e}" for e in examples)))}),
    )


_register(
    "compare",
    "Train models on the same images and compare them; without models, seven networks.",
    "nablab compare lenet svc '32C3-ReLU-MaxPool2-K' --fractions 0.01,0.1",
    "nablab compare lenet my_net.py:MyNet --data ./photos --size 64 --epochs 10",
    "nablab compare --resume results",
    "nablab compare --add convmixer results",
)
_register(
    "train",
    "Train one model.",
    "nablab train lenet --epochs 5",
    "nablab train my_net.py:MyNet --data ./photos --size 64 --early-stopping 3",
)
_register(
    "inspect",
    "Show layers, parameters and costs, training nothing; without models, all known names.",
    "nablab inspect lenet",
    "nablab inspect '32C3-ReLU-MaxPool2-K' my_net.py:MyNet --svg graphs",
)
_register(
    "check",
    "Hold a gradient against finite differences, and say what is wrong with it.",
    "nablab check my_gradient.py",
    "nablab check lenet",
)
_register(
    "ladder",
    "Train one network by hand, on our engine and in PyTorch, and compare every step.",
    "nablab ladder mlp",
    "nablab ladder 100-ReLU-K --against my_loss.py:loss",
)
_register(
    "predict",
    "Ask a trained model about pictures.",
    "nablab predict results/runs/lenet-f0.1-s0 picture.png",
    "nablab predict results/runs/lenet-f0.1-s0 folder --csv answers.csv",
)
_register(
    "report",
    "Write the report, the notebook or the tables of results.",
    "nablab report results --html report.html --latex table.tex",
    "nablab report results --notebook delivery.ipynb",
)
_register(
    "leaderboard",
    "Rank all runs on the same data, from any number of folders, and draw the Pareto fronts.",
    "nablab leaderboard runs",
    "nablab leaderboard results older --data fashion-mnist --html leaderboard.html",
)
_register(
    "export",
    "Write a trained model for other programs: ONNX, torch.export, safetensors.",
    "nablab export results/runs/lenet-f0.1-s0 --onnx",
    "nablab export results/runs/lenet-f0.1-s0 --pt2 --out lenet.pt2",
)
_register(
    "reproduce",
    "Train what others published figures of, and hold theirs against ours.",
    "nablab reproduce fashion-mnist --dry-run",
    "nablab reproduce fashion-mnist --rows net_linear,lenet --fractions 0.01,0.1",
    "nablab reproduce fashion-mnist --time-limit 45m --out published",
)
_register(
    "verify",
    "Check deliveries: every number held against what their run records come to; and mark them.",
    "nablab verify delivery.ipynb",
    "nablab verify class --rubric rubric.toml --csv marks.csv --html marks.html",
    "nablab verify delivery.ipynb --retrain --time-limit 30m",
)
_register("runs", "List, show or delete trained runs.", target="app")
_register("lesson", "List, open or run the five labs.", target="app")
_register("data", "List, show, check, fetch, prepare or import images to train on.", target="app")


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that `words` (default: those of this process) spell; returns the exit code."""
    words = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in words
    as_json = any(word.partition("=")[0] == "--json" for word in words)
    _prepare_streams()
    if sys.platform == "win32":  # what holds folders and watches processes is not there
        return _fail(NOT_ON_WINDOWS, 2)
    try:
        with stdout_for_results() if as_json else nullcontext():
            code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return int(code or 0)
    except CycloptsError as error:
        return _fail(_usage(error, words), 2)
    except NablabError as error:
        if debug:
            raise
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt as interrupt:
        return _fail(str(interrupt) or "interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader (`head`, a pager) has gone; nothing is left to say, also not while Python shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        return _fail(f"{type(error).__name__}: {_one_line(str(error))} (--debug shows where)", 1)


def _prepare_streams() -> None:
    """A stream that was closed (`>&-`, a service) takes everything; one that lacks a character writes `?`."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _usage(error: CycloptsError, words: Sequence[str]) -> str:
    command = " ".join(["nablab", *(error.command_chain or ())])
    return f"{_one_line(str(error))} See: {command} --help"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _fail(message: str, code: int) -> int:
    sys.stdout.flush()
    print(f"nablab: {_one_line(message)}", file=sys.stderr)
    return code
