"""Classes, counts and shares as sentences name them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def counted(count: int, what: str) -> str:
    """A count with what is counted, and with its verb where `what` holds one as `is/are`.

    >>> counted(1, "image is/are"), counted(1200, "image is/are")
    ('1 image is', '1,200 images are')
    """
    noun, _, verb = what.partition(" ")
    one, _, many = verb.partition("/")
    words = (noun, one) if count == 1 else (f"{noun}s", many)
    return " ".join((f"{count:,}", *(word for word in words if word)))


def percent(share: float, digits: int = 1) -> str:
    """
    >>> percent(0.125), percent(0.0007, 2)
    ('12.5 %', '0.07 %')
    """
    return f"{100 * share:.{digits}f} %"


def portion(count: int, total: int, what: str) -> str:
    """Some of many, as a share too, with the verb that fits the count.

    >>> portion(7, 10_000, "test images is/are"), portion(1, 8, "files has/have")
    ('7 of 10,000 test images (0.07 %) are', '1 of 8 files (12.50 %) has')
    """
    *nouns, verbs = what.split(" ")
    one, many = verbs.split("/")
    share = percent(count / total, 2)
    return f"{count:,} of {total:,} {' '.join(nouns)} ({share}) {one if count == 1 else many}"


def named(classes: Sequence[str], numbers: Iterable[int], most: int = 3) -> str:
    """The first names, and how many more there are.

    >>> named(("cat", "dog", "eel"), [0, 2]), named("abcdef", range(6))
    ('cat and eel', 'a, b, c and 3 more')
    """
    names = [classes[number] for number in numbers]
    shown = names if len(names) <= most else [*names[:most], f"{len(names) - most:,} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
