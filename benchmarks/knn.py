"""How fast are nablab's nearest neighbours? Beside scikit-learn's brute force, on Fashion-MNIST's pixels.

    python benchmarks/knn.py [--queries 512] [--rounds 5] [--threads 2] [--json FILE]

All 60,000 training images are stored; the queries are the first test images (of 10,000), so that
scikit-learn's L1 ends in minutes. Both are given the same standardised float32 pixels. The two take turns
within each round; a figure is the median over rounds, a ratio the median of the rounds' ratios, with its
range. What they find is compared, too: the distances, and the share of neighbours that are the same (of
equally far images either may be taken).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

METRICS = {"l1": ("manhattan", 3.0), "l2": ("euclidean", 1.0), "cosine": ("cosine", 1.0)}
K = 5


@dataclass(frozen=True)
class Row:
    """Seconds for all queries, medians over n rounds; ratios of scikit-learn's time to ours."""

    metric: str
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    n: int
    aim: float
    same: float  #: share of neighbours that are the same
    apart: float  #: largest difference of a distance


def main() -> None:
    """Measure and print."""
    arguments = parsed()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # before the libraries are loaded
    import torch

    torch.set_num_threads(arguments.threads)
    stored, labels, queries = pixels(arguments.queries)
    rows = [measured(metric, stored, labels, queries, arguments.rounds) for metric in METRICS]
    print(
        f"{len(stored):,} images stored, {len(queries):,} queries, k = {K}; {conditions(arguments.threads)}\n"
    )
    print(
        "| metric | n | ours, s | scikit-learn, s | ratio (range) | aim | same neighbours | distances apart |"
    )
    print("| :-- | --: | --: | --: | --: | --: | --: | --: |")
    for row in rows:
        print(
            f"| {row.metric} | {row.n} | {row.ours:.2f} | {row.theirs:.2f} "
            f"| {row.ratio:.1f} ({row.low:.1f} to {row.high:.1f}) | {row.aim:g} "
            f"| {100 * row.same:.2f} % | {row.apart:.0e} |"
        )
    if arguments.json:
        arguments.json.write_text(
            json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8"
        )


def measured(metric: str, stored: Any, labels: Any, queries: Any, rounds: int) -> Row:
    """Both in turns; what a fit costs is not counted, since neither learns anything."""
    import numpy as np
    from sklearn.neighbors import KNeighborsClassifier

    from nablab.models.neighbours import NearestNeighbours

    name, aim = METRICS[metric]
    ours = NearestNeighbours(K, metric, image_shape=(1, 28, 28)).fit(stored, labels)
    theirs = KNeighborsClassifier(K, metric=name, algorithm="brute").fit(stored, labels)
    for one in (ours, theirs):  # what is loaded at first use
        one.kneighbors(queries[:8])
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        (mine, found), (other, expected) = timed(ours, queries), timed(theirs, queries)
        times.append((mine, other))
    ratios = [other / mine for mine, other in times]
    return Row(
        metric=metric,
        ours=median(mine for mine, _ in times),
        theirs=median(other for _, other in times),
        ratio=median(ratios),
        low=min(ratios),
        high=max(ratios),
        n=rounds,
        aim=aim,
        same=float(np.mean(found[1] == expected[1])),
        apart=float(np.abs(found[0] - expected[0]).max()),
    )


def timed(classifier: Any, queries: Any) -> tuple[float, Any]:
    """Seconds, and what was found."""
    start = time.perf_counter()
    found = classifier.kneighbors(queries)
    return time.perf_counter() - start, found


def pixels(queries: int) -> tuple[Any, Any, Any]:
    """Training images (N, 784), their labels and test images, standardised as by the default recipe."""
    import numpy as np

    from nablab.data import load, preprocess

    data = load("fashion-mnist")
    rows = np.arange(len(data.x_train))
    fitted = preprocess.fit("standardize", data.x_train, data.value_range, rows)
    train = fitted.apply(np.asarray(data.x_train))
    test = fitted.apply(np.asarray(data.x_test[:queries]))
    return train.reshape(len(train), -1), data.y_train, test.reshape(len(test), -1)


def conditions(threads: int) -> str:
    """Hardware and versions."""
    import numpy
    import sklearn
    import torch

    from nablab.runs.environment import describe_environment

    here = describe_environment(threads, 1, "cpu")
    return (
        f"{here.cpu}, {here.cores} cores, {threads} threads; Python {platform.python_version()}, "
        f"scikit-learn {sklearn.__version__}, PyTorch {torch.__version__}, NumPy {numpy.__version__}"
    )


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--queries", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
