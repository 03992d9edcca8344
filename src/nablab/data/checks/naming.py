"""Classes and counts as sentences name them."""

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


def named(classes: Sequence[str], numbers: Iterable[int], most: int = 3) -> str:
    """The first names, and how many more there are.

    >>> named(("cat", "dog", "eel"), [0, 2]), named("abcdef", range(6))
    ('cat and eel', 'a, b, c and 3 more')
    """
    names = [classes[number] for number in numbers]
    shown = names if len(names) <= most else [*names[:most], f"{len(names) - most:,} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
