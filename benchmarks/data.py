"""Batches a second of augmented images, against a picture at a time: `python benchmarks/data.py`.

The other side is how PyTorch is usually fed: a `Dataset` whose items are PIL pictures, which random
transforms change one by one, and a `DataLoader` that stacks them, without and with two worker processes (kept
from one epoch to the next, and warmed up); the faster of the two counts. torchvision does not run with every
build of PyTorch, so its transforms are written here as its Pillow backend does them, with less around
them. nablab's side is what both of its engines train on, `nablab.training.feed.batches`, in this process;
PyTorch, which samples between pixels for it, may use as many threads as the loader has workers.

Both make float32 batches in [0, 1] from the same bytes, with the same changes drawn from the same
distributions: tests/data/test_augment_pillow.py holds one against the other. The sides take turns in each
round, so that a busy moment falls on all alike. Prints medians with the smallest and largest round, and mean
and deviation of what each side made. Exit code 1 where the aim is missed: some tasks are known to.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import PIL
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nablab.data.dataset import make_dataset
from nablab.data.split import split
from nablab.training.feed import TrainingData, batches, prepare
from nablab.training.recipe import Recipe, preset

AIM = 50.0
WORKERS = (0, 2)


@dataclass(frozen=True)
class Task:
    """What is done to which images."""

    augmentation: str
    shape: tuple[int, int, int]
    batch: int

    def __str__(self) -> str:
        channels, height, width = self.shape
        kind = "grey" if channels == 1 else "RGB"
        return f"{self.augmentation}  ({height}x{width} {kind}, batches of {self.batch})"


GREY, COLOUR = (1, 28, 28), (3, 32, 32)
TASKS = (
    Task("flip,shift:2", GREY, 64),
    Task("flip,shift:4", COLOUR, 128),
    Task("flip,crop:0.5", COLOUR, 128),
    Task("brightness:0.2", GREY, 64),
    Task("erase:8", GREY, 64),
    Task("rotate:10,scale:0.1", GREY, 64),
    Task("flip,shift:2,crop:0.5,rotate:10,scale:0.1,brightness:0.2,erase:8", GREY, 64),
    Task("flip,shift:4,crop:0.5,rotate:10,scale:0.1,brightness:0.2,erase:8", COLOUR, 128),
)

# A picture at a time

Picture = Image.Image


def uniform(low: float, high: float) -> float:
    return float(torch.empty(1).uniform_(low, high).item())


def below(limit: int) -> int:
    return int(torch.randint(0, limit, size=(1,)).item())


def flip(picture: Picture) -> Picture:
    """RandomHorizontalFlip."""
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if torch.rand(1) < 0.5 else picture


def shift(picture: Picture, most: float) -> Picture:
    """RandomCrop of the same size, after padding."""
    border = int(most)
    padded = ImageOps.expand(picture, border=border, fill=0)
    top, left = below(2 * border + 1), below(2 * border + 1)
    return padded.crop((left, top, left + picture.width, top + picture.height))


def crop(picture: Picture, smallest: float) -> Picture:
    """RandomResizedCrop."""
    width, height = picture.size
    for _ in range(10):
        area = width * height * uniform(smallest, 1)
        ratio = math.exp(uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            top, left = below(height - h + 1), below(width - w + 1)
            window = picture.crop((left, top, left + w, top + h))
            return window.resize((width, height), Image.Resampling.BILINEAR)
    return picture


def affine(picture: Picture, degrees: float, scale: float) -> Picture:
    """RandomAffine: rotation and scale in one."""
    angle, factor = math.radians(uniform(-degrees, degrees)), uniform(1 - scale, 1 + scale)
    c, s = math.cos(angle) / factor, math.sin(angle) / factor
    x, y = picture.width / 2, picture.height / 2
    matrix = (c, s, x - c * x - s * y, -s, c, y + s * x - c * y)
    return picture.transform(
        picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=0
    )


def brightness(picture: Picture, most: float) -> Picture:
    """ColorJitter(brightness)."""
    return ImageEnhance.Brightness(picture).enhance(uniform(1 - most, 1 + most))


def to_tensor(picture: Picture) -> Tensor:
    """ToTensor."""
    image = torch.from_numpy(np.array(picture, np.uint8, copy=True))
    image = image.view(picture.height, picture.width, len(picture.getbands()))
    return image.permute((2, 0, 1)).contiguous().to(torch.float32).div(255)


def erase(image: Tensor, side: float) -> Tensor:
    """RandomErasing of a square of one size."""
    length = int(side)
    top, left = below(image.shape[1] - length + 1), below(image.shape[2] - length + 1)
    image[:, top : top + length, left : left + length] = 0
    return image


class Pictures(Dataset):  # type: ignore[type-arg]
    """As torchvision's data sets: bytes become a PIL picture, which transforms change."""

    def __init__(self, x_NCHW: np.ndarray, y: np.ndarray, augmentation: str) -> None:
        channels_last = np.ascontiguousarray(x_NCHW.transpose(0, 2, 3, 1))
        self.images = channels_last[..., 0] if x_NCHW.shape[1] == 1 else channels_last
        self.labels = y.tolist()
        self.changes, self.last = transforms(augmentation)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index])
        for change in self.changes:
            picture = change(picture)
        return self.last(to_tensor(picture)), self.labels[index]


def transforms(augmentation: str) -> tuple[list[Callable[[Picture], Picture]], Callable[[Tensor], Tensor]]:
    """What is done to a picture, in nablab's order, and then to the tensor."""
    asked = {
        name: float(number or 1)
        for name, _, number in (part.partition(":") for part in augmentation.split(","))
    }
    changes: list[Callable[[Picture], Picture]] = []
    if "rotate" in asked or "scale" in asked:
        changes.append(lambda p: affine(p, asked.get("rotate", 0.0), asked.get("scale", 0.0)))
    if "crop" in asked:
        changes.append(lambda p: crop(p, asked["crop"]))
    if "flip" in asked:
        changes.append(flip)
    if "shift" in asked:
        changes.append(lambda p: shift(p, asked["shift"]))
    if "brightness" in asked:
        changes.append(lambda p: brightness(p, asked["brightness"]))
    return changes, (lambda t: erase(t, asked["erase"])) if "erase" in asked else (lambda t: t)


# Both sides


@dataclass
class Side:
    """One way of making the batches of an epoch, and how many a second it made, each round."""

    name: str
    epoch: Callable[[int], Iterator[Any]]
    epochs: int  #: a round
    rates: list[float] = field(default_factory=list)
    made: tuple[float, float] = (0.0, 0.0)  #: mean and deviation of an epoch's values

    def warm_up(self) -> None:
        sums = np.zeros(3)
        for x in self.epoch(0):
            values = np.asarray(x, np.float64)
            sums += values.size, values.sum(), np.square(values).sum()
        mean = sums[1] / sums[0]
        self.made = (mean, math.sqrt(sums[2] / sums[0] - mean**2))

    def measure(self, round_: int) -> None:
        start, count = perf_counter(), 0
        for epoch in range(self.epochs):
            for _ in self.epoch(round_ * self.epochs + epoch + 1):
                count += 1
        self.rates.append(count / (perf_counter() - start))


def sides(task: Task, count: int) -> list[Side]:
    """nablab first, then the loaders."""
    rng = np.random.default_rng(0)
    # Bright in the middle and dark outside, as photographed things are: what comes in from outside counts.
    x = (rng.integers(0, 256, (count * task.batch, *task.shape)) * _bump(task.shape)).astype(np.uint8)
    y = np.arange(len(x)) % 10
    recipe = preset("handout").but(augmentation=task.augmentation, batch_size=task.batch, validation=0.0)
    dataset = make_dataset("drawn", x, y, x[:10], y[:10], tuple("0123456789"), source="drawn")
    data = prepare(dataset, split(dataset, validation=0), recipe)
    found = [Side("nablab", lambda epoch: ours(data, recipe, epoch), epochs=8)]
    for workers in WORKERS:
        loader = DataLoader(
            Pictures(x, y, task.augmentation),
            task.batch,
            shuffle=True,
            num_workers=workers,
            persistent_workers=workers > 0,
        )
        found.append(Side(f"{workers} workers", lambda _, loader=loader: (x for x, _ in loader), epochs=1))
    return found


def _bump(shape: tuple[int, int, int]) -> np.ndarray:
    _, height, width = shape
    rows, columns = np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]
    return np.outer(rows, columns)


def ours(data: TrainingData, recipe: Recipe, epoch: int) -> Iterator[Tensor]:
    """As the engine for PyTorch takes them over."""
    for batch in batches(data, recipe, epoch):
        yield torch.from_numpy(batch.x)


def main() -> int:
    """Measure and print; 1 where the aim is missed."""
    options = arguments()
    torch.set_num_threads(max(WORKERS))
    print(
        f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, NumPy {np.__version__}, "
        f"PyTorch {torch.__version__}, Pillow {PIL.__version__}\n"
        f"batches a second: median (smallest-largest) of n = {options.rounds} rounds, "
        f"{options.batches} batches an epoch; aim {AIM:.0f}x\n",
        flush=True,
    )
    met = []
    for task in TASKS:
        if options.only is None or options.only in str(task):
            met.append(run(task, options.rounds, options.batches))
    return 0 if all(met) else 1


def run(task: Task, rounds: int, count: int) -> bool:
    """One task; whether it meets the aim."""
    both = sides(task, count)
    for side in both:
        side.warm_up()
    for round_ in range(rounds):
        first = round_ % len(both)
        for side in both[first:] + both[:first]:
            side.measure(round_)
    mine, others = both[0], both[1:]
    best = max(others, key=lambda side: median(side.rates))
    ratios = [a / b for a, b in zip(mine.rates, best.rates, strict=True)]
    print(task)
    for side in both:
        spread = f"({min(side.rates):,.0f}-{max(side.rates):,.0f})"
        made = f"mean {side.made[0]:.4f}, deviation {side.made[1]:.4f}"
        print(f"  {side.name:12}{median(side.rates):10,.1f} {spread:18} {made}")
    said = "met" if median(ratios) >= AIM else "missed"
    print(
        f"  {median(ratios):.1f}x ({min(ratios):.1f}-{max(ratios):.1f}) of {best.name}: {said}\n", flush=True
    )
    return median(ratios) >= AIM


def processor() -> str:
    """The name of the processor, where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, default=40, help="an epoch")
    parser.add_argument("--only", help="tasks whose line contains this")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
