"""Code that is not ours: loading a user's file, and saying in one line where it failed."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from nablab.errors import NablabError, UserError
from nablab.models.model import SourceFile

#: The modules that lay beside a file of a user, by name, and their folders.
_BESIDE: dict[str, Path] = {}


def load_file(path: str) -> ModuleType:
    """The Python file of a user, run. A file that did not change since is not run again.

    It finds what lies beside it, as a script does, and not what lies beside another file under the same name.

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
    try:
        with _beside(file.resolve().parent), blaming(path, "loading it"):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
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


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Let imports find what lies in a folder, as it is now.

    What two folders have under one name is then forgotten: who imports it later, from inside a function, is
    told that there is none rather than given the other's.
    """
    hidden = {name: sys.modules.pop(name) for name in _BESIDE.keys() & sys.modules.keys()}
    known = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with suppress(ValueError):  # the file may have changed it
            sys.path.remove(str(folder))
        found = [name for name in sys.modules.keys() - known if _lies_in(folder, name)]
        again = _packages(found) & _packages(hidden)
        elsewhere = _packages(name for name in hidden if _BESIDE[name] != folder)
        sys.modules.update({name: old for name, old in hidden.items() if not _packages([name]) & again})
        for name in found:
            _BESIDE[name] = folder
            if _packages([name]) & again & elsewhere:
                del sys.modules[name]


def _packages(modules: Iterable[str]) -> set[str]:
    """The names that an import begins with."""
    return {name.partition(".")[0] for name in modules}


def _lies_in(folder: Path, module: str) -> bool:
    """Whether a loaded module, or the package that it is in, is a file or a folder right there."""
    top = sys.modules.get(module.partition(".")[0])
    places = [getattr(top, "__file__", None), *getattr(top, "__path__", ())]
    return any(place is not None and Path(place).parent == folder for place in places)


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
