"""Code that is not ours: loading a user's file, and saying in one line where it failed."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from nablab.errors import NablabError, UserError
from nablab.models.model import SourceFile


def load_file(path: str) -> ModuleType:
    """The Python file of a user, run. A file that did not change since is not run again.

    It finds what lies beside it, as a script does.

    Raises:
        UserError: it is not there, or fails; with its own error and line.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"{path}: no such file")
    key = hashlib.sha256(f"{file.resolve()}\0".encode() + file.read_bytes()).hexdigest()
    name = f"nablab_user_{key[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles of what it defines look here
    folder = str(file.resolve().parent)
    sys.path.insert(0, folder)
    try:
        with blaming(path, "loading it"):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(folder)
    return module


@contextmanager
def blaming(name: str, doing: str) -> Iterator[None]:
    """Turn any error of a user's code into one line: where, which error, while doing what.

    Args:
        name: the file or class, for errors without a line.

    Raises:
        UserError: in place of whatever was raised, which is its cause. Errors of nablab pass through.
    """
    try:
        yield
    except (NablabError, KeyboardInterrupt, GeneratorExit):
        raise
    except SystemExit as error:
        raise UserError(f"{name}: it ends the program (SystemExit: {error}) when {doing}") from error
    except Exception as error:
        # A SyntaxError's text repeats the place.
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        reason = text.strip().split("\n")[0][:300]
        kind = type(error).__name__
        raise UserError(f"{_place(error) or name}: {kind}: {reason} (when {doing})") from error


def describe_source(path: str) -> SourceFile:
    """The file's hash, and where its git repository stands, if it is in one."""
    file = Path(path).expanduser()
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    commit = _git(file, "rev-parse", "HEAD")
    modified = bool(commit) and bool(_git(file, "status", "--porcelain", "--", file.name))
    return SourceFile(path, sha256, commit, modified)


def _place(error: Exception) -> str:
    """`file:line` of the user's own line that the error comes from, empty where there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}"
    ours = str(Path(__file__).parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((ours, "<frozen"))
        and "site-packages" not in frame.filename
        and not frame.filename.startswith(sys.base_prefix + "/lib/python")
    ]
    return f"{_shown(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""


def _shown(filename: str) -> str:
    """A file as its user knows it: relative to where they stand; cells of a notebook have no real name."""
    if "ipykernel" in filename or filename.startswith("<ipython"):
        return "notebook cell"
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename


def _git(file: Path, *arguments: str) -> str:
    """What git prints, empty where there is no git, no repository or no commit."""
    command = ["git", "-C", str(file.resolve().parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
