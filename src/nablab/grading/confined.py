"""The process that runs a student's file: `python -I -m nablab.grading.confined FOLDER`. See `sandbox`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nablab.grading.sandbox import ERROR, IMAGES, JOB, SCORES


def main(home: Path) -> int:
    """Do the job in a folder: limit this process, load the model, ask it, leave its scores or its error."""
    import numpy as np

    from nablab.errors import NablabError
    from nablab.models.reference import resolve
    from nablab.runs.predict import load_predictor

    job = json.loads((home / JOB).read_text(encoding="utf-8"))
    limit(float(job["seconds"]), int(job["memory_bytes"]), int(job["file_bytes"]))
    try:
        predictor = load_predictor(job["run"], model=resolve(job["model"]))
        scores = predictor.scores(np.load(home / IMAGES, allow_pickle=False))
    except (NablabError, MemoryError, RuntimeError, TypeError, ValueError, LookupError, OSError) as error:
        message = str(error) if isinstance(error, NablabError) else f"{type(error).__name__}: {error}"
        (home / ERROR).write_text(message, encoding="utf-8", errors="replace")
        return 1
    np.save(home / SCORES, scores, allow_pickle=False)
    return 0


def limit(seconds: float, memory_bytes: int, file_bytes: int) -> None:
    """Hard limits of this process, which what it starts inherits: seconds of CPU, address space, file sizes.

    The kernel ends a process that is out of CPU time; out of memory, an allocation fails.
    """
    import resource

    cpu = max(1, int(seconds) + 1)
    for kind, most in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
