"""How long Fashion-MNIST takes to load: `python benchmarks/loading.py [--repeats 15]`.

The first load, which decodes the four files, and later ones, from the decoded cache, each in a process of its
own; the import of the modules is timed apart. On a busy machine the processor's seconds tell more. Ends with
exit code 1 where the limit is not kept, 2 where the full set is not installed.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, median, stdev

LIMIT = 0.1  # seconds, of the median second load
SET = "fashion-mnist"

LOAD = f"""
import time
import numpy
start = time.perf_counter()
import nablab.data
imported, busy = time.perf_counter(), time.process_time()
data = nablab.data.load({SET!r})
print(imported - start, time.perf_counter() - imported, time.process_time() - busy, len(data.x_train))
"""


def load(cache: Path) -> tuple[float, float, float]:
    """Seconds to import nablab.data, to load, and of the processor in loading; in a new process.

    Ends the program where the full set is not here.
    """
    environment = {**os.environ, "NABLAB_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, check=True, capture_output=True, text=True
    )
    imported, loaded, busy, images = done.stdout.split()
    if int(images) < 60_000:
        print(
            f"only {int(images):,} images are here; `nablab data fetch {SET}` gets the rest", file=sys.stderr
        )
        raise SystemExit(2)
    return float(imported), float(loaded), float(busy)


def line(name: str, seconds: list[float]) -> str:
    """One line of the table."""
    return (
        f"{name:28}{median(seconds):8.3f}{mean(seconds):8.3f}{stdev(seconds):8.3f}"
        f"{min(seconds):8.3f}{max(seconds):8.3f}{len(seconds):5}"
    )


def main() -> int:
    """Measure and print; 1 where a later load takes longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=15, help="loads of each kind, from 2")
    repeats = max(2, parser.parse_args().repeats)
    imports: list[float] = []
    first: list[float] = []
    later: list[float] = []
    processor: list[float] = []
    with tempfile.TemporaryDirectory() as space:
        for number in range(repeats):  # in turns, so that a busy moment falls on both
            cache = Path(space, str(number))
            first.append(load(cache)[1])
            imported, loaded, busy = load(cache)
            imports.append(imported)
            later.append(loaded)
            processor.append(busy)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'seconds':28}{'median':>8}{'mean':>8}{'sd':>8}{'least':>8}{'most':>8}{'n':>5}")
    print(line("import nablab.data", imports))
    print(line("first load, which decodes", first))
    print(line("later load", later))
    print(line("  processor's share of it", processor))  # what it takes where nothing else runs
    kept = median(later) < LIMIT
    print(f"limit {LIMIT} s for the median later load: {'kept' if kept else 'not kept'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
