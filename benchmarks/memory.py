"""Memory of training on an array that would fill it: `python benchmarks/memory.py`.

Writes a folder with an `X.npy` of 6 GiB (random images with a bright line by class) and its `Y.npy`. Then
`nablab train lenet` learns from a share of it, which takes long enough, and `nablab compare` from all of it,
with validation, test, records and reports. While they run, the anonymous memory of all their processes is
summed every 20 ms (RssAnon in /proc/<pid>/status): memory that is really taken. Pages of the file are not in
it; the system takes them back when it needs room.

Prints, for each command, the peak of that sum and the seconds; then versions and hardware. Exit code 1 where
a peak is above the limit or a command fails. Linux only. The folder is removed in the end.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep

import numpy as np

#: MiB of RssAnon, all processes of a command together.
LIMIT = 1536
SHAPE = (3, 64, 64)
CLASSES = 10
_AT_ONCE = 4096
_EVERY = 0.02  # seconds between two looks

#: What is run on the folder: 295 steps of lenet; two small networks that see all there is.
COMMANDS = {
    "train lenet, 5 % of it": "train lenet --epochs 1 --fraction 0.05 --test-fraction 0.05 --batch-size 64",
    "compare two, all of it": "compare K AvgPool4-K --seeds 1 --epochs 1 --jobs 1",
    "the same at a time": "compare K AvgPool4-K --seeds 1 --epochs 1 --jobs 2 --no-notebook",
}


@dataclass(frozen=True)
class Outcome:
    """What a command took, and how it ended."""

    peak: float  #: MiB of RssAnon
    processes: int  #: at that moment
    seconds: float
    code: int


def write_arrays(folder: Path, gib: float) -> int:
    """`X.npy` of so many GiB and `Y.npy`; how many images they are."""
    count = int(gib * 2**30) // int(np.prod(SHAPE))
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, count)
    x = np.lib.format.open_memmap(folder / "X.npy", "w+", np.uint8, (count, *SHAPE))
    for start in range(0, count, _AT_ONCE):
        y = labels[start : start + _AT_ONCE]
        block = np.frombuffer(rng.bytes(len(y) * x[0].nbytes), np.uint8).reshape(len(y), *SHAPE) // 2
        block[np.arange(len(y)), :, 6 * y] += 100
        x[start : start + len(y)] = block
    x.flush()
    np.save(folder / "Y.npy", labels)
    return count


def run(arguments: list[str], folder: Path) -> Outcome:
    """Run nablab in a folder and watch its memory and that of its children."""
    start = perf_counter()
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "nablab", *arguments], cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
        peak, processes = 0.0, 0
        while process.poll() is None:
            sizes = [size for pid in tree(process.pid) if (size := anonymous(pid))]
            if sum(sizes) > peak:
                peak, processes = sum(sizes), len(sizes)
            sleep(_EVERY)
    if process.returncode != 0:
        print((folder / "output.txt").read_text()[-2000:], file=sys.stderr)
    return Outcome(peak, processes, perf_counter() - start, process.returncode)


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has ended
        return []
    return [pid, *(found for text in lists for child in text.split() for found in tree(int(child)))]


def anonymous(pid: int) -> float:
    """MiB of a process that are no pages of files; 0 where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) / 1024


def hardware() -> str:
    """The machine, in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cpu or platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"


def versions() -> str:
    """What computed."""
    from importlib import metadata

    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("nablab", "numpy", "torch"))
    return f"Python {platform.python_version()}, {packages}"


def main() -> int:
    """Measure and print; 1 when the limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gib", type=float, default=6.0, help="size of X.npy [6]")
    parser.add_argument("--in", dest="parent", type=Path, help="folder with room for it [the system's]")
    options = parser.parse_args()
    kept = True
    with tempfile.TemporaryDirectory(dir=options.parent) as name:
        folder = Path(name)
        (folder / "big").mkdir()
        count = write_arrays(folder / "big", options.gib)
        print(f"X.npy: {options.gib:g} GiB, {count:,} images of {'x'.join(map(str, SHAPE))}, uint8")
        print(f"{'':30}{'peak RssAnon':>14}{'processes':>11}{'seconds':>9}   (limit {LIMIT} MiB)", flush=True)
        for number, (title, command) in enumerate(COMMANDS.items()):
            done = run([*command.split(), "--data", "big", "--out", f"out{number}", "--quiet"], folder)
            kept = kept and done.code == 0 and done.peak < LIMIT
            failed = f"   failed with exit code {done.code}" if done.code else ""
            print(
                f"{title:30}{done.peak:10.0f} MiB{done.processes:11}{done.seconds:9.0f}{failed}", flush=True
            )
    print(f"{hardware()}; {versions()}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
