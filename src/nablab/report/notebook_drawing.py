"""What draws the pictures of a notebook. Where that is another, the same runs give other pixels."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

#: How the line begins that says it.
_HEAD = "Pictures drawn by "
_LINE = re.compile(f"^{_HEAD}(.+)$", re.MULTILINE)


@cache
def drawer() -> str:
    """nablab, with a hash of how it draws, what it draws with, and the kind of machine."""
    from matplotlib import __version__, ft2font

    return (
        f"nablab {version('nablab')} ({_digest()}), Matplotlib {__version__}, "
        f"FreeType {ft2font.__freetype_version__}, {platform.system()} {platform.machine()}"
    )


def drawn_by() -> str:
    """The line of a notebook that says what draws in it."""
    return f"{_HEAD}{drawer()}"


def drawers_in(texts: Iterable[str]) -> frozenset[str]:
    """What these texts of a notebook say of who drew; empty of one made before they said it."""
    return frozenset(said.strip() for text in texts for said in _LINE.findall(text))


def has_own_font(text: str) -> bool:
    """Whether Matplotlib's own font, the same on every machine, has all of a text.

    >>> has_own_font("Bär"), has_own_font("猫")
    (True, False)
    """
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties()))
    return all(font.get_char_index(ord(character)) for character in text if character.isprintable())


def _digest() -> str:
    """Of the code that draws, and of what it draws: versions in development share a number."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:8]
