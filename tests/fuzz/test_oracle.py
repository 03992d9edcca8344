"""The oracle and its workers find what they are there for: each fault is planted in a reader."""

import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nablab.errors import UserError

from . import oracle, pool, worker
from .cases import Case
from .oracle import Finding, judge
from .pool import Worker

CASE = Case({"some.idx": b"\0"}, "some.idx", "idx")


def traceback(path: Path, case: Case) -> None:
    {}["missing"]


def warning(path: Path, case: Case) -> None:
    warnings.warn("odd", stacklevel=1)


def no_name(path: Path, case: Case) -> None:
    raise UserError("cannot be read")


def long_line(path: Path, case: Case) -> None:
    raise UserError(f"{path}: {'x' * 5000}")


def leftover(path: Path, case: Case) -> None:
    path.with_name("half").write_bytes(b"")


def memory(path: Path, case: Case) -> None:
    np.ones(2**30, dtype=np.uint8)


def announced(path: Path, case: Case) -> None:
    """What is never touched costs nothing, and yet a header has been believed."""
    try:
        np.empty(2**40, dtype=np.uint8)
    except MemoryError as error:
        raise UserError(f"{path}: announces too much") from error


def slowness(path: Path, case: Case) -> None:
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass


def open_file(path: Path, case: Case) -> None:
    path.open("rb").read()


FAULTS: dict[Callable[[Path, Case], None], str] = {
    traceback: "KeyError",
    warning: "UserWarning",
    no_name: "names no file",
    long_line: "a line of",
    leftover: "left behind",
    memory: "MemoryError",
    announced: "asked for more than 512 MiB",
    slowness: "took 0.3",
    open_file: "garbage collector",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Path, Case], None]
) -> None:
    monkeypatch.setitem(oracle.READERS, "idx", fault)
    monkeypatch.setattr(worker, "MOST_SECONDS", 0.25)
    monkeypatch.setattr("sys.unraisablehook", lambda raised: None)
    limits = worker.resource.getrlimit(worker.resource.RLIMIT_DATA)
    try:
        result = worker.run(CASE, tmp_path / "case")
    finally:
        worker.resource.setrlimit(worker.resource.RLIMIT_DATA, limits)
    assert result["failed"]
    assert FAULTS[fault] in result["outcome"]


def test_control_characters_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class CarelessError(UserError):
        def __str__(self) -> str:
            return "some.idx: two\nlines"

    def two_lines(path: Path, case: Case) -> None:
        raise CarelessError

    monkeypatch.setitem(oracle.READERS, "idx", two_lines)
    with pytest.raises(Finding, match="not one printable line"):
        judge(CASE, tmp_path)


def test_a_worker_that_dies_or_stands_still_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_PATIENCE", 2.0)
    with Worker() as begun:
        assert begun.run_files("idx", CASE).outcome != "accepted"
        assert begun._process is not None
        os.kill(begun._process.pid, signal.SIGSEGV)
        died = begun.run_files("idx", CASE)
        assert died.failed
        assert "SIGSEGV" in died.outcome
        assert not begun.run_files("idx", CASE).failed
        os.kill(begun._process.pid, signal.SIGSTOP)
        stood = begun.run_files("idx", CASE)
        assert stood.failed
        assert "stood still" in stood.outcome
        assert not begun.run_files("idx", CASE).failed
