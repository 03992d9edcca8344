"""`python -m fuzz`: many cases, or one of them again.

python -m fuzz --cases 20000 --seed 0 --workers 2
python -m fuzz KIND --cases 1000
    python -m fuzz KIND SEED
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from .cases import KINDS, make_case
from .oracle import write_case
from .pool import Result, Worker, run_all

FINDINGS = Path(__file__).parent / "findings"


def numbered(kinds: Sequence[str], cases: int, seed: int) -> Iterator[tuple[str, int]]:
    """Kinds in turn; another `seed` gives none of the same cases."""
    for place in range(cases):
        yield kinds[place % len(kinds)], seed * 10**6 + place // len(kinds)


def keep(result: Result) -> Path:
    """Write the files of a finding where they can be looked at, with what was found."""
    folder = FINDINGS / f"{result.kind}-{result.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    write_case(make_case(result.kind, result.seed), folder)
    (folder / "finding.txt").write_text(f"{result.outcome}\n", errors="backslashreplace")
    return folder


def command(result: Result) -> str:
    """What runs a case again."""
    return f"cd tests && python -m fuzz {result.kind} {result.seed}"


def main() -> int:
    """Run what the command line says; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("kind", nargs="?", choices=KINDS, help="only this kind")
    parser.add_argument("number", nargs="?", type=int, help="only this case of it")
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    if asked.number is not None:
        return _again(asked.kind, asked.number)
    kinds = [asked.kind] if asked.kind else list(KINDS)
    return _many(list(numbered(kinds, asked.cases, asked.seed)), asked.workers)


def _again(kind: str, seed: int) -> int:
    with Worker() as worker:
        result = worker.run(kind, seed)
    print(f"{result.outcome}\n{result.seconds:.2f} s, {result.kib >> 10} MiB; files: {keep(result)}")
    return int(result.failed)


def _many(cases: list[tuple[str, int]], workers: int) -> int:
    results = defaultdict(list)
    found = run_all(cases, workers)
    for result in track(found, "damaged files", total=len(cases), console=Console(stderr=True)):
        results[result.kind].append(result)
        if result.failed:
            print(f"{result.kind} {result.seed}: {result.outcome}\n  {command(result)}\n  {keep(result)}")
    Console().print(_table(results))
    return int(any(result.failed for of_kind in results.values() for result in of_kind))


def _table(results: dict[str, list[Result]]) -> Table:
    table = Table("kind", "cases", "accepted", "refused", "found", "most s", "most MiB", box=None)
    for kind, of_kind in results.items():
        accepted = sum(result.outcome == "accepted" for result in of_kind)
        failed = sum(result.failed for result in of_kind)
        most = max(result.seconds for result in of_kind), max(result.kib for result in of_kind) >> 10
        figures = len(of_kind), accepted, len(of_kind) - accepted - failed, failed
        table.add_row(kind, *(f"{n:,}" for n in figures), f"{most[0]:.2f}", str(most[1]))
    return table


if __name__ == "__main__":
    sys.exit(main())
