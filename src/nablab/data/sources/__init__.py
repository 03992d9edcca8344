"""The data sets that have a name, one module each."""

from __future__ import annotations

from nablab.data.sources import digits, fashion_mnist, spiral
from nablab.data.sources.source import Source

SOURCES: dict[str, Source] = {
    source.name: source for source in (fashion_mnist.SOURCE, digits.SOURCE, spiral.SOURCE)
}

__all__ = ["SOURCES", "Source"]
