"""What a record says of a run that failed: one line that a reader can act on."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from nablab.errors import NablabError, RunFailed
from nablab.models.model import Model
from nablab.runs.record import Failure

INTERRUPTED = Failure("interrupted; --resume goes on with it", "interrupted")

#: Frames below these folders are never the user's: Python, what is installed, nablab.
_LIBRARIES = tuple(Path(place) for place in (sys.prefix, sys.base_prefix, Path(__file__).parents[1]))


def describe_failure(error: BaseException, model: Model) -> Failure:
    """Why a run stopped: diverged, out of memory, interrupted, or an error with the user's own line."""
    if isinstance(error, RunFailed) and error.step is not None:  # what cannot be fitted has no step
        return Failure(str(error), "diverged", epoch=error.epoch, step=error.step)
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        return INTERRUPTED
    if is_out_of_memory(error):
        return Failure(
            "out of memory; try a smaller batch_size, or jobs 1 so that runs do not share it", "memory"
        )
    if isinstance(error, NablabError):
        return Failure(str(error), "error")
    text = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
    # As an error of ours: one line that can be stored and printed.
    return Failure(str(NablabError(f"{text}{_place(error, model)}")), "error")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python's, or PyTorch's on the CPU or an accelerator."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(
        sign in str(error) for sign in ("can't allocate memory", "out of memory", "not enough memory")
    )


def _place(error: BaseException, model: Model) -> str:
    """` (my_net.py, line 12, in forward)`: the innermost line that the user wrote, if there is one."""
    own = _source(model)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.resolve() == own if own else not _is_library(path):
            return f" ({path.name}, line {frame.lineno}, in {frame.name})"
    return ""


def _source(model: Model) -> Path | None:
    return None if model.source_file is None else Path(model.source_file.path).resolve()


def _is_library(path: Path) -> bool:
    inside = any(place in path.parents for place in _LIBRARIES)
    return inside or "site-packages" in path.parts or str(path).startswith("<frozen")
