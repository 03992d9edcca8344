"""A process that does runs for another: `python -m nablab.runs.worker`. Started by `nablab.runs.workers`.

It reads lines of JSON from its standard input: first a `Setup`, then the id of each run, at last an empty
line. It writes lines of JSON to its standard output: events, and after each run a line `{"free": true}`.
When its input ends before the empty line, the parent is gone, and so is the worker.

A process of its own rather than `multiprocessing`: that would import the user's main script again (which
starts another comparison, unless it was guarded), and would pickle.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO, Any

from nablab.data import augment
from nablab.errors import CannotWrite, NablabError
from nablab.runs.events import to_json
from nablab.runs.interrupts import Interrupt, deferred_interrupts
from nablab.runs.job import job_of
from nablab.runs.perform import perform
from nablab.runs.plan_file import read_plan
from nablab.runs.shared_data import SharedData, opened
from nablab.runs.threads import computing_with

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Setup:
    """What a worker is told first."""

    out: str  #: the comparison's folder
    parent: int  #: process id
    descriptor: int  #: of the shared data
    data: dict[str, Any]  #: `SharedData`
    die_with_thread: bool  #: whether the parent's thread that started this lasts as long as the parent

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def main() -> None:
    """Do runs until told that there are no more."""
    answers = _take_over_output()
    orders: queue.Queue[str] = queue.Queue()
    first = sys.stdin.readline()
    if not first:  # the parent was gone before it could say anything
        sys.exit(1)
    setup = Setup(**json.loads(first))
    if setup.die_with_thread:
        _die_with(setup.parent)
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    code = 1
    with deferred_interrupts() as interrupt:
        try:
            _work(setup, orders, answers, interrupt)
            code = 0
        except KeyboardInterrupt:
            code = 128 + signal.SIGINT
        except CannotWrite as error:
            _say(answers, json.dumps({"stop": str(error), "why": "disk"}))
        except NablabError as error:
            _say(answers, json.dumps({"stop": str(error), "why": "user"}))
        except BrokenPipeError:
            pass  # the parent is gone
        except Exception:
            traceback.print_exc()
        # Not sys.exit: the interpreter cannot shut down in order while a thread waits for input.
        os._exit(code)


def _work(setup: Setup, orders: queue.Queue[str], answers: IO[str], interrupt: Interrupt) -> None:
    dataset = opened(setup.descriptor, SharedData.from_dict(setup.data))
    plan = read_plan(setup.out, dataset=dataset, named=True)  # the parent has seen to that
    runs = {run.id: run for run in plan.runs}
    augmentation = augment.parse(plan.recipe.augmentation, dataset.input_shape)
    with computing_with(plan.recipe.threads, plan.models, augmentation):
        _say(answers, json.dumps({"free": True}))
        while name := _next_order(orders, interrupt):
            for event in perform(job_of(plan, runs[name]), interrupt):
                _say(answers, to_json(event))
            interrupt.check()
            _say(answers, json.dumps({"free": True}))


def _next_order(orders: queue.Queue[str], interrupt: Interrupt) -> str:
    """The id of the next run, empty after the last. Ctrl-C is not kept waiting for it."""
    interrupt.check()
    with interrupt.immediate():
        return orders.get()


def _take_over_output() -> IO[str]:
    """The standard output for our lines only; whatever else is printed goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _say(answers: IO[str], line: str) -> None:
    answers.write(line + "\n")
    answers.flush()


def _listen(orders: queue.Queue[str]) -> None:
    """Pass orders on; end the process at once when they end without the empty line."""
    for line in _lines():
        orders.put(line)
        if not line:
            return
    os._exit(1)


def _lines() -> Iterator[str]:
    for line in sys.stdin:
        yield line.strip()


def _die_with(parent: int) -> None:
    """Let Linux end this process with its parent, even while it computes without looking at its input."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be watched
        os._exit(1)


if __name__ == "__main__":
    main()
