"""nablab's training against the loop of the hand-outs: `python benchmarks/training.py`.

Both train the same networks on Fashion-MNIST as the hand-outs do (Adam at 1e-3, batches of 64, float32,
eager PyTorch) and measure the test set after each epoch. The hand-outs' loop is what a student writes: a
DataLoader with shuffle, each image made a PIL image and then a tensor, as torchvision's FashionMNIST and
ToTensor do. It runs in turns with nablab's, in one process, so that a busy moment falls on both alike.

Prints, for each network, images a second while training, wall time with all measurements, their ratios with
the smallest and the largest over the repeats, and test accuracies. Exit code 1 where a target is not met.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from dataclasses import dataclass
from statistics import mean, median
from time import perf_counter

import numpy as np
import torch
from handout import by_hand

import nablab.data
from nablab.data.split import split
from nablab.models.catalog import CATALOG
from nablab.models.model import Model
from nablab.training import device
from nablab.training.feed import TrainingData, prepare
from nablab.training.loop import EpochDone, train
from nablab.training.recipe import Recipe, preset
from nablab.training.torch_trainable import make_trainable

#: How many times as fast training has to be; wall time has to lead by half of it.
TARGETS = {"net_linear": 8.0, "lenet5": 2.0, "fashion_cnn": 1.5}


@dataclass(frozen=True)
class Outcome:
    """What one training took and reached."""

    images_a_second: float  #: while training
    wall: float  #: seconds, the measurements after each epoch included
    accuracy: float  #: on the test set, in the end


def by_handout(name: str, data: TrainingData, epochs: int, seed: int) -> Outcome:
    """The same by the loop of the hand-outs."""
    began = perf_counter()
    train_part, test_part = ((part.source[part.rows], part.y) for part in (data.train, data.test))
    done = list(by_hand(name, train_part, test_part, epochs, seed))
    images = len(data.train) * epochs
    return Outcome(images / sum(epoch.seconds for epoch in done), perf_counter() - began, done[-1].accuracy)


def by_nablab(name: str, dataset: nablab.data.Dataset, recipe: Recipe, fraction: float | None) -> Outcome:
    """What a run of nablab does: prepare, train, and measure train, validation and test after each epoch."""
    entry = CATALOG[name]
    began = perf_counter()
    data = prepare(dataset, split(dataset, fraction=fraction, validation=recipe.validation), recipe)
    net = make_trainable(Model(name, name, "network", entry.text, spec=entry.spec), data, recipe)
    last = [event.metrics for event in train(net, data, recipe) if isinstance(event, EpochDone)][-1]
    assert last.test_accuracy is not None
    images = len(data.train) * recipe.epochs
    return Outcome(images / last.train_seconds, perf_counter() - began, last.test_accuracy)


def main() -> int:
    """Measure and print; 1 when a target is missed."""
    options = arguments()
    device.set_threads(options.threads)
    dataset = nablab.data.load("fashion-mnist")
    base = preset("handout").but(epochs=options.epochs, threads=options.threads)
    plain = prepare(dataset, split(dataset, fraction=options.fraction, validation=0), base)
    print_surroundings(options, dataset, plain)

    met = []
    for name in options.networks:
        pairs = []
        for repeat in range(options.repeats):
            runs = (
                lambda n=name, s=repeat: by_nablab(n, dataset, base.but(seed=s), options.fraction),
                lambda n=name, s=repeat: by_handout(n, plain, options.epochs, s),
            )
            first = repeat % 2  # in turns, who comes first
            done = {which: runs[which]() for which in (first, 1 - first)}
            pairs.append((done[0], done[1]))
            ours, theirs = pairs[-1]
            print(f"{name} {repeat + 1}/{options.repeats}: {ours}, {theirs}", file=sys.stderr)
        met.append(print_row(name, pairs))
    return 0 if all(met) else 1


def print_surroundings(options: argparse.Namespace, dataset: nablab.data.Dataset, data: TrainingData) -> None:
    print(
        f"{dataset.name}: {len(data.train):,} training and {len(data.test):,} test images, "
        f"{options.epochs} epochs, n = {options.repeats} each\n"
        f"{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}, NumPy {np.__version__}\n"
    )
    print(
        f"{'':12}{'images/s':>10}{'hand-out':>10}{'ratio':>8}{'(range)':>16}{'target':>8}"
        f"{'wall ratio':>12}{'(range)':>16}{'accuracy':>10}{'hand-out':>10}"
    )


def print_row(name: str, pairs: list[tuple[Outcome, Outcome]]) -> bool:
    """One network's medians; whether its targets are met."""
    speed = [ours.images_a_second / theirs.images_a_second for ours, theirs in pairs]
    wall = [theirs.wall / ours.wall for ours, theirs in pairs]
    ours, theirs = ([pair[which] for pair in pairs] for which in (0, 1))
    print(
        f"{name:12}{median(o.images_a_second for o in ours):10,.0f}"
        f"{median(o.images_a_second for o in theirs):10,.0f}"
        f"{median(speed):8.2f}{f'({min(speed):.2f}-{max(speed):.2f})':>16}{TARGETS[name]:8.1f}"
        f"{median(wall):12.2f}{f'({min(wall):.2f}-{max(wall):.2f})':>16}"
        f"{mean(o.accuracy for o in ours):10.4f}{mean(o.accuracy for o in theirs):10.4f}",
        flush=True,
    )
    return median(speed) >= TARGETS[name] and median(wall) >= max(1.0, TARGETS[name] / 2)


def processor() -> str:
    """The name of the processor, where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--networks", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--fraction", type=float, default=None, help="of the training set; all if left out")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
