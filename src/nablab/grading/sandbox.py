"""Running a student's own file, where that was asked for: apart, and within limits.

What is contained: time and memory (also of what it starts, as long as that stays in its process group), the
size of files, and mistakes, which cannot end the check. What is not: it runs as you. It can read your files,
write where you may write, and use the network; and what it answers is what it says of itself. For deliveries
of people you do not trust, run all of `nablab verify --run-code` in a container or a virtual machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.data.dataset import Dataset
from nablab.errors import UserError
from nablab.grading.confine import read_limited
from nablab.grading.rescoring import NotAsked, Scorer, scorer_of
from nablab.grading.verdict import plain
from nablab.runs.record import RunRecord
from nablab.runs.store import RunFolder

#: Folders above a run's that its model's file is looked for in: `runs`, the results, the delivery.
_ABOVE = 3
#: Of the files beside it, which it may import.
_MOST_FILES, _LARGEST_FILE = 100, 2**20
#: Names under which parent and child put things into their folder.
JOB, IMAGES, SCORES, ERROR = "job.json", "images.npy", "scores.npy", "error.txt"


@dataclass(frozen=True)
class Limits:
    """What one process of a student's code may use."""

    seconds: float
    memory_bytes: int
    file_bytes: int = 2**30


class Sandbox:
    """Asks models of users' files, each time in a process of its own."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def scorer(self, run: RunFolder, record: RunRecord, dataset: Dataset) -> Scorer:
        """As `rescoring.scorer_of`, also for a user's module, whose file then is run.

        Raises:
            NotAsked: its file is not in the delivery, or is another than was trained.
            UserError: as there.
        """
        if record.model.kind == "estimator" or record.model.spec is not None:
            return scorer_of(run, record, dataset)
        if sys.platform == "win32":
            raise NotAsked(
                "users' code is only run where processes can be limited, which Windows does not do"
            )
        source = find_source(run, record)
        name = record.model.reference.rpartition(":")[2]
        if not name.isidentifier():
            raise NotAsked(f"{plain(name, 60)!r} is no name of a class")
        return partial(_ask, run.path.resolve(), source, name, self._limits)


def find_source(run: RunFolder, record: RunRecord) -> Path:
    """The file of a user's module, beside the delivery or its records, as it was when it was trained.

    Raises:
        NotAsked: it came from a Python session; it is not there; it has changed.
    """
    source = record.model.source_file
    if source is None:
        raise NotAsked("a class of a Python session, whose code is in no file")
    name = Path(source.path).name
    for folder in list(run.path.resolve().parents)[:_ABOVE]:
        path = folder / name
        if path.is_file() and not path.is_symlink():
            content = read_limited(path, _LARGEST_FILE)
            if hashlib.sha256(content).hexdigest() == source.sha256:
                return path
            raise NotAsked(f"{plain(name, 60)} has changed since it was trained")
    raise NotAsked(f"its code, {plain(name, 60)}, is not in the delivery")


def _ask(run: Path, source: Path, name: str, limits: Limits, images: NDArray[Any]) -> NDArray[np.float32]:
    """Scores of raw images by the class `name` of a file, with a run's weights.

    Raises:
        UserError: it failed, ran out of time or memory, or answered nothing.
    """
    with tempfile.TemporaryDirectory(prefix="nablab-verify-") as private:
        home = Path(private)
        code = home / "code"
        code.mkdir()
        for file in _beside(source):
            shutil.copyfile(file, code / file.name)
        np.save(home / IMAGES, images, allow_pickle=False)
        job = {
            "run": str(run), "model": f"{code / source.name}:{name}", "seconds": limits.seconds,
            "memory_bytes": limits.memory_bytes, "file_bytes": limits.file_bytes,
        }  # fmt: skip
        (home / JOB).write_text(json.dumps(job), encoding="utf-8")
        _run(home, limits)
        return _read_scores(home)


def _beside(source: Path) -> Iterator[Path]:
    files = [path for path in sorted(source.parent.glob("*.py")) if path.is_file() and not path.is_symlink()]
    small = [path for path in files if path.stat().st_size <= _LARGEST_FILE and path != source]
    yield from (source, *small[:_MOST_FILES])


def _run(home: Path, limits: Limits) -> None:
    """The child process, to its end or to its limit; then whatever it left in its group is ended, too."""
    environment = {
        "PATH": os.defpath, "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, "-I", "-m", "nablab.grading.confined", str(home)]
    process = subprocess.Popen(
        command, cwd=home, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        code = process.wait(timeout=limits.seconds)
    except subprocess.TimeoutExpired:
        raise UserError(f"its code took more than {limits.seconds:g} s, and was ended") from None
    finally:
        end_group(process.pid)
        process.wait()
    error = home / ERROR
    if error.is_file() and not error.is_symlink():
        raise UserError(f"its code failed: {plain(read_limited(error, 2**16).decode('utf-8', 'replace'))}")
    if code != 0:
        ended = f"signal {-code}: out of time or memory" if code < 0 else f"exit code {code}"
        raise UserError(f"its code ended without an answer ({ended})")


def end_group(group: int) -> None:
    """End every process of a process group; nothing where it is empty."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _read_scores(home: Path) -> NDArray[np.float32]:
    path = home / SCORES
    if path.is_symlink() or not path.is_file():
        raise UserError("its code ended without an answer")
    try:
        scores = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"its code left an answer that cannot be read: {plain(error, 100)}") from error
    return np.asarray(scores, dtype=np.float32)
