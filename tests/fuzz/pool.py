"""Workers, watched: one that dies or stands still has found something, and another takes its place."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from .cases import Case

_PATIENCE = 20.0  # seconds on a busy machine for a case that computes at most `oracle.MOST_SECONDS`


@dataclass(frozen=True)
class Result:
    """What came of the case `seed` of a kind.

    Attributes:
        outcome: `accepted`, the error's line, or what is wrong.
        failed: whether that must not be.
        seconds: of computing.
        kib: of memory at the peak, beyond what the worker had before.
    """

    kind: str
    seed: int
    outcome: str
    failed: bool = False
    seconds: float = 0.0
    kib: int = 0


class Worker:
    """A process that runs one case at a time; begun when it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="nablab-fuzz-")  # also for what a dead one left

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._folder.cleanup()

    def run(self, kind: str, seed: int) -> Result:
        """The case of that number."""
        return self._result(kind, seed, {"kind": kind, "seed": seed})

    def run_files(self, kind: str, case: Case) -> Result:
        """A case that somebody else made."""
        files = {name: content.hex() for name, content in case.files.items()}
        return self._result(kind, -1, asdict(case) | {"files": files})

    def _result(self, kind: str, seed: int, order: dict[str, Any]) -> Result:
        if self._process is None:
            self._process = _start(self._folder.name)
        process = self._process
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], _PATIENCE)
        line = process.stdout.readline() if ready else b""
        if line.endswith(b"\n"):
            return Result(kind, seed, **json.loads(line))
        if not ready:
            process.kill()
        what = _death(process) if ready else f"stood still for {_PATIENCE:.0f} s"
        self._stop()
        return Result(kind, seed, what, failed=True)

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_all(cases: Iterable[tuple[str, int]], workers: int) -> Iterator[Result]:
    """The results of many cases, in their order, from several workers at once."""
    idle: SimpleQueue[Worker] = SimpleQueue()

    def run(case: tuple[str, int]) -> Result:
        worker = idle.get()
        try:
            return worker.run(*case)
        finally:
            idle.put(worker)

    with ExitStack() as stack:
        for _ in range(workers):
            idle.put(stack.enter_context(Worker()))
        executor = ThreadPoolExecutor(workers)
        stack.callback(executor.shutdown, cancel_futures=True)
        yield from executor.map(run, cases)


def _start(folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "fuzz.worker"],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libtiff says there what it also reports
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TMPDIR": folder},
    )


def _death(process: subprocess.Popen[bytes]) -> str:
    code = process.wait(5)
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
