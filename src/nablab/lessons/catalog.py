"""Which labs there are, and which rows of its document each of them has to show."""

from __future__ import annotations

from dataclasses import dataclass

from nablab.errors import UserError


@dataclass(frozen=True)
class Lesson:
    """One lab.

    Attributes:
        letter: what it is called on a command line: `a` to `e`.
        title: its title, ours.
        document: the hand-out that it grew out of, and who set it.
        rows: what that hand-out asks for, by name: each is shown by the lab, or its run fails.
        summary: what one can do afterwards, in a line.
    """

    letter: str
    title: str
    document: str
    rows: tuple[str, ...]
    summary: str


def _numbered(letter: str, count: int) -> tuple[str, ...]:
    return tuple(f"{letter}{number}" for number in range(1, count + 1))


LESSONS = (
    Lesson(
        "a",
        "Back-propagation, and seven networks on Fashion-MNIST",
        "Problem session 3, backpropagation (UAB)",
        _numbered("A", 13),
        "walk an automatic differentiator's graph; train, count and compare networks, and deliver the proof",
    ),
    Lesson(
        "b",
        "From one neuron to a convolutional network, by hand and in PyTorch",
        "Introduction to neural networks and PyTorch (UC3M)",
        _numbered("B", 12),
        "derive and write every gradient of a small network, then hand it to PyTorch step by step",
    ),
    Lesson(
        "c",
        "The step size, the penalty and dropout",
        "Practical 3, NN and CNN with PyTorch (ENSAE)",
        _numbered("C", 6),
        "choose a learning rate from the curvature, add a penalty knowingly, and measure what dropout does",
    ),
    Lesson(
        "d",
        "The forward pass, the SGD step, and what a hidden layer buys",
        "Lecture: review in PyTorch, forward pass, SGD, linear and nonlinear classifiers",
        _numbered("D", 5),
        "follow shapes through a network and a batch, take SGD's step by hand, and bend a decision boundary",
    ),
    Lesson(
        "e",
        "A network from scratch, proved, and training read from its curves",
        "High-level computer vision, exercise 2 (MPI)",
        ("E1", "E1b", "E2", "E3", "E4", "E5", "E6", "E7"),
        "prove a gradient with finite differences, and tell from curves what ails a training",
    ),
)

_BY_LETTER = {lesson.letter: lesson for lesson in LESSONS}


def lesson(letter: str) -> Lesson:
    """The lab of that letter, in either case.

    Raises:
        UserError: there is none.
    """
    found = _BY_LETTER.get(letter.lower())
    if found is None:
        raise UserError(f"there is no lab {letter!r}: they are {', '.join(_BY_LETTER)} (nablab lesson list)")
    return found
