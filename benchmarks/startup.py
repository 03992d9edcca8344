"""How long nablab takes to start, against bare Python: `python benchmarks/startup.py`.

Prints medians of many starts, measured in turns so that a busy moment falls on all of them alike.
Ends with exit code 1 where a limit is not kept.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter

REPEATS = 25

COMMANDS = {
    "bare Python": ["-c", "pass"],
    "import nablab": ["-c", "import nablab"],
    "nablab --help": ["-m", "nablab", "--help"],
    "nablab compare --help": ["-m", "nablab", "compare", "--help"],
}

#: Seconds: of the whole command, or over bare Python.
LIMITS = {"import nablab": ("over bare Python", 0.15), "nablab --help": ("in all", 0.3)}


def seconds(arguments: list[str]) -> float:
    """Wall time of one start."""
    start = perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def main() -> int:
    """Measure and print; 1 when a limit is exceeded."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS + 1):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    medians = {name: median(taken[1:]) for name, taken in times.items()}  # the first start fills caches
    bare = medians["bare Python"]
    kept = True
    print(f"{'':24}{'median':>9}{'over bare':>12}{'limit':>9}   ({REPEATS} starts)")
    for name, taken in medians.items():
        kind, limit = LIMITS.get(name, ("", 0.0))
        counted = taken - bare if kind == "over bare Python" else taken
        kept = kept and (not limit or counted < limit)
        said = f"{limit:.2f} s {kind}" if limit else ""
        print(f"{name:24}{taken:8.3f}s{taken - bare:11.3f}s   {said}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
