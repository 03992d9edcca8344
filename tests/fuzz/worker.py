"""A process that runs cases as they are named on its standard input: `python -m fuzz.worker`.

It limits its own memory, so that what a lying header asks for fails at once, and measures what a case took.
It is a process because a case may crash it or stop it; `pool` watches over it.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from .cases import Case, make_case
from .oracle import MOST_BYTES, MOST_SECONDS, Finding, judge


def run(case: Case, folder: Path) -> dict[str, Any]:
    """The outcome of a case in a new folder, with the memory (KiB) and seconds that it took.

    The folder goes afterwards, with the one around it.
    """
    forgotten: list[str] = []
    sys.unraisablehook = lambda raised: forgotten.append(f"{raised.exc_value!r}")  # files left open
    before, begun = _begin(), time.process_time()
    folder.mkdir()
    try:
        outcome = judge(case, folder)
        failed = False
    except Finding as finding:
        outcome, failed = str(finding), True
    seconds = time.process_time() - begun
    shutil.rmtree(folder.parent, ignore_errors=True)
    kib = _status("VmHWM") - before
    gc.collect()
    if not failed and forgotten:
        outcome, failed = f"left for the garbage collector: {forgotten[0]}", True
    if not failed and (seconds > MOST_SECONDS or kib * 1024 > MOST_BYTES):
        outcome, failed = f"took {seconds:.1f} s and {kib >> 10} MiB: {outcome}", True
    return {"outcome": outcome, "failed": failed, "seconds": seconds, "kib": kib}


def _begin() -> int:
    """Limit memory to `MOST_BYTES` more than now, forget the peak so far; returns the memory now, in KiB."""
    limit = _status("VmData") * 1024 + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(field)


def _case(order: dict[str, Any]) -> Case:
    if "seed" in order:
        return make_case(order["kind"], order["seed"])
    files = {name: bytes.fromhex(content) for name, content in order.pop("files").items()}
    return Case(files=files, **order)


def main() -> None:
    """Answer each order, a line of JSON, by a line of JSON."""
    import PIL.Image

    import nablab.data

    PIL.Image.init()
    nablab.data.load("spiral")
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        try:
            answer = run(_case(cast(dict[str, Any], json.loads(line))), Path(tempfile.mkdtemp(), "case"))
        except Exception as error:  # of ours: the case could not be made
            answer = {"outcome": f"no case: {error!r}", "failed": True}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
