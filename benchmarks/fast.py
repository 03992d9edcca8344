"""How soon `--preset fast` is where LeNet ends up: `python benchmarks/fast.py`.

The hand-out's LeNet reaches 91.2 % of full Fashion-MNIST's test set. Its way there is `handout.py lenet`: one
process, 8 epochs of a DataLoader with a transform for each image. nablab's is two commands, from the start
of the first to the written row of the last:

    nablab train MODEL --preset fast --data fashion-mnist --seed S --out FOLDER
    nablab report FOLDER --csv row.csv

Seed after seed of ours has its turn; the hand-out's way runs before the first and, with --repeats above 1,
after the last. Prints wall seconds, test accuracies, their means and spread, and the ratio of the medians.
Exit code 1 where the mean accuracy is below 91.2 % or the ratio below 5.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, median, stdev
from time import perf_counter

import torch

from training import processor

ACCURACY, RATIO = 0.912, 5.0
HERE = Path(__file__).parent


def handout(epochs: int, threads: int) -> tuple[float, float]:
    """Wall seconds of the hand-out's way, and its test accuracy in the end."""
    command = [
        sys.executable,
        str(HERE / "handout.py"),
        "lenet",
        f"--epochs={epochs}",
        f"--threads={threads}",
    ]
    start = perf_counter()
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return perf_counter() - start, float(said.split()[-1])


def fast(model: str, seed: int, threads: int, folder: Path) -> tuple[float, float]:
    """Wall seconds of both commands, and the accuracy in the row that they write."""
    row = folder / "row.csv"
    nablab = [sys.executable, "-m", "nablab"]
    start = perf_counter()
    subprocess.run(
        [*nablab, "train", model, "--preset=fast", "--data=fashion-mnist", f"--seed={seed}",
         f"--threads={threads}", f"--out={folder / 'run'}", "--quiet"],
        check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    subprocess.run(
        [*nablab, "report", str(folder / "run"), f"--csv={row}"], check=True, stdout=subprocess.DEVNULL
    )
    seconds = perf_counter() - start
    with row.open(encoding="utf-8", newline="") as file:
        (written,) = csv.DictReader(file)
    return seconds, float(written["accuracy"])


def main() -> int:
    """Measure and print; 1 when a target is missed."""
    options = arguments()
    print(
        f"{processor()}, {os.cpu_count()} cores, {options.threads} threads; "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}\n"
    )
    theirs = [said("hand-out, lenet", 0, *handout(options.epochs, options.threads))]
    ours = []
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            done = fast(options.model, seed, options.threads, Path(folder))
        ours.append(said(f"fast, {options.model}", seed, *done))
    for _ in range(1, options.repeats):
        theirs.append(said("hand-out, lenet", 0, *handout(options.epochs, options.threads)))
    ratio = median(s for s, _ in theirs) / median(s for s, _ in ours)
    accuracies = [accuracy for _, accuracy in ours]
    spread = 100 * stdev(accuracies) if len(accuracies) > 1 else 0.0
    print(
        f"\n{100 * mean(accuracies):.2f} % (n = {len(ours)}, sd {spread:.2f}; target {100 * ACCURACY:g} %), "
        f"{ratio:.1f} times as soon (target {RATIO:g})"
    )
    return 0 if mean(accuracies) >= ACCURACY and ratio >= RATIO else 1


def said(way: str, seed: int, seconds: float, accuracy: float) -> tuple[float, float]:
    print(f"{way:22} seed {seed}  {seconds:7.1f} s  {100 * accuracy:6.2f} %", flush=True)
    return seconds, accuracy


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--model", default="nab_fast")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8, help="of the hand-out's way")
    parser.add_argument("--repeats", type=int, default=1, help="of the hand-out's way")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
