"""The data sets that have a name, one module each."""

from __future__ import annotations

from nablab.data.sources import cifar10, digits, dogs_vs_cats, fashion_mnist, mnist, sign_digits, spiral, toys
from nablab.data.sources.source import Source

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        fashion_mnist.SOURCE,
        mnist.SOURCE,
        cifar10.SOURCE,
        sign_digits.SOURCE,
        sign_digits.ZERO_ONE,
        dogs_vs_cats.SOURCE,
        digits.SOURCE,
        spiral.SOURCE,
        toys.MOONS,
        toys.CIRCLES,
        toys.BLOBS,
    )
}

__all__ = ["SOURCES", "Source"]
