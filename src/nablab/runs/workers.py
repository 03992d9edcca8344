"""Several runs at a time, each in a worker process; the parent hands out runs and passes events on."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from nablab.errors import CannotWrite, NablabError, UserError
from nablab.runs.events import RunEvent, RunFailed, from_json
from nablab.runs.failures import INTERRUPTED
from nablab.runs.job import Job, first_record, job_of
from nablab.runs.planned import Plan, PlannedRun
from nablab.runs.record import Failure, Status
from nablab.runs.shared_data import SharedData, shared
from nablab.runs.worker import Setup

#: Seconds that interrupted workers have for their checkpoints before they are killed.
GRACE = 15.0


def execute_in_workers(plan: Plan, waiting: Sequence[PlannedRun]) -> Iterator[RunEvent]:
    """Do these runs, `plan.jobs` at a time. The plan must have been written: workers read it.

    A worker that is killed, by the system for want of memory or by the user, fails its run; another takes its
    place.

    Raises:
        CannotWrite: a worker could not store any more; all have been stopped.
        KeyboardInterrupt: the user stopped; each run under way is recorded as interrupted.
    """
    with shared(plan.dataset, plan.out) as (descriptor, data):
        pool = _Pool(plan, waiting, descriptor, data)
        try:
            yield from pool.run()
        except BaseException:
            pool.interrupt()
            raise
        finally:
            pool.close()


class _Worker:
    """A worker process, the run it is doing, and the thread that reads what it says."""

    def __init__(self, setup: Setup, threads: int, said: queue.Queue[tuple[_Worker, bytes]]) -> None:
        environment = dict(os.environ) | {
            name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        }
        # A session of its own: Ctrl-C in the terminal is for the parent, who then decides.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nablab.runs.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            pass_fds=(setup.descriptor,),
            start_new_session=True,
        )
        self.job: Job | None = None
        self._reader = threading.Thread(target=self._read, args=(said,), daemon=True)
        self._reader.start()
        self.tell(setup.to_json())

    def tell(self, line: str) -> None:
        """Send a line; one that has died will be noticed by the end of its output."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def close(self) -> None:
        """End the process if it hasn't ended, and let go of its pipes."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()

    def _read(self, said: queue.Queue[tuple[_Worker, bytes]]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said.put((self, line))
        said.put((self, b""))


class _Pool:
    """The workers of a comparison and the runs that wait for one."""

    def __init__(self, plan: Plan, waiting: Sequence[PlannedRun], descriptor: int, data: SharedData) -> None:
        self._plan = plan
        self._waiting = deque(waiting)
        self._said: queue.Queue[tuple[_Worker, bytes]] = queue.Queue()
        self._setup = Setup(
            out=str(plan.out),
            parent=os.getpid(),
            descriptor=descriptor,
            data=data.to_dict(),
            die_with_thread=threading.current_thread() is threading.main_thread(),
        )
        self._workers: list[_Worker] = []

    def run(self) -> Iterator[RunEvent]:
        """Events of all runs, as they come."""
        for _ in range(min(self._plan.jobs, len(self._waiting))):
            self._start()
        while self._workers:
            worker, line = self._said.get()
            if not line:
                yield from self._bury(worker)
                continue
            message = json.loads(line)
            if "free" in message:
                self._next_run(worker)
            elif "stop" in message:
                raise _error(message)
            else:
                yield from_json(line)

    def interrupt(self) -> None:
        """Let each worker store a checkpoint and end; record what becomes of those that don't in time."""
        for worker in self._workers:
            worker.process.send_signal(signal.SIGINT if worker.job else signal.SIGKILL)
        deadline = time.monotonic() + GRACE
        try:
            for worker in self._workers:
                worker.process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            pass
        for worker in self._workers:
            worker.close()
            if worker.job is not None:
                with suppress(CannotWrite):  # then that is known already, or what stopped it is told first
                    _record(worker.job, INTERRUPTED)

    def close(self) -> None:
        for worker in self._workers:
            worker.close()

    def _start(self) -> None:
        self._workers.append(_Worker(self._setup, self._plan.recipe.threads, self._said))

    def _next_run(self, worker: _Worker) -> None:
        """Give it the next run, or the empty line that ends it."""
        worker.job = job_of(self._plan, self._waiting.popleft()) if self._waiting else None
        worker.tell(worker.job.run.id if worker.job else "")

    def _bury(self, worker: _Worker) -> Iterator[RunEvent]:
        """A worker ended: as it should, or leaving a run behind that has failed."""
        worker.close()
        self._workers.remove(worker)
        lost = worker.job
        if lost is None and self._waiting and worker.process.returncode != 0:
            lost = job_of(self._plan, self._waiting.popleft())  # it died before it could take one
        if lost is not None:
            failure = _death(worker.process.returncode)
            _record(lost, failure)
            yield RunFailed(lost.run.id, failure)
        if self._waiting:
            self._start()


def _record(job: Job, failure: Failure) -> None:
    """What the worker could not write any more. Nothing, if the run had ended by then."""
    record = job.folder.record() if job.folder.exists else first_record(job)
    if record.status == "running":
        status: Status = "interrupted" if failure.kind == "interrupted" else "failed"
        job.folder.write_record(replace(record, status=status, failure=failure))


def _death(code: int) -> Failure:
    if code == -signal.SIGKILL:
        return Failure(
            "its process was killed, most likely because memory ran out; --jobs 1 takes less", "memory"
        )
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return Failure(f"its process ended {how}", "error")


def _error(message: dict[str, str]) -> NablabError:
    return CannotWrite(message["stop"]) if message["why"] == "disk" else UserError(message["stop"])
