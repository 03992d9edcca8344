"""Texts of figures in any script: in other fonts of the machine where matplotlib's own lacks characters."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import matplotlib
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

#: Families that are tried first: without serifs, and made to be read. After them, any that has the character.
_PREFERRED = (
    "Noto Sans CJK",
    "Noto Sans",
    "Source Han Sans",
    "PingFang",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi",
    "Arial Unicode MS",
)
#: Not to be read: they have a box, or nothing, for every character there is.
_STAND_INS = ("Last Resort", "LastResort", "Adobe Blank")

# Joiners and variation selectors: they only say how others are shown.
_SHAPING = "\u200c\u200d\ufe0e\ufe0f"

#: By character, the family that has it; None where no font of this machine has. What was searched for once.
_FAMILIES: dict[str, str | None] = {}


class ReadableFigure(Figure):
    """A figure that, when it is drawn, finds fonts for what its texts are written in.

    Where no font of the machine has a character, its code point stands for it: `U+732B`. An SVG that keeps
    its texts is left as it is, to the fonts of its reader.
    """

    def draw(self, renderer: RendererBase) -> None:
        """Draw, after the texts have got their fonts."""
        keeps_texts = matplotlib.rcParams["svg.fonttype"] == "none"
        if not (keeps_texts and isinstance(self.canvas, FigureCanvasSVG)):
            _make_readable(self)
        super().draw(renderer)


def readable(text: str) -> str:
    """A text as a figure shows it: code points in the place of what no font of this machine has.

    >>> readable("Bär")
    'Bär'
    """
    lacking = _lacking(text)
    _find_families(lacking)
    return substitute(text, [character for character in lacking if _FAMILIES[character] is None])


def substitute(text: str, absent: Collection[str]) -> str:
    """A text with code points in the place of the characters that are `absent`, in short where they are many.

    >>> substitute("猫 (cat)", "猫"), substitute("数字标签的名称", "数字标签的名称")
    ('U+732B (cat)', 'U+6570 5B57 6807…79F0')
    """
    run = re.compile(f"[{re.escape(''.join(absent))}{_SHAPING}]+")
    return run.sub(lambda found: _code_points(found[0]), text) if absent else text


def _code_points(run: str) -> str:
    points = [f"{ord(character):04X}" for character in run if character not in _SHAPING]
    if len(points) > 4:
        points = [*points[:2], f"{points[2]}…{points[-1]}"]
    return f"U+{' '.join(points)}" if points else run


def _make_readable(figure: Figure) -> None:
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    lacking = _lacking("".join(text.get_text() for text in texts))
    _find_families(lacking)
    families = sorted({family for character in lacking if (family := _FAMILIES[character])})
    for text in texts if lacking else ():
        text.set_fontfamily([*text.get_fontfamily(), *families])
        text.set_text(readable(text.get_text()))


def _lacking(text: str) -> list[str]:
    """The characters of a text that the font in use lacks."""
    if text.isascii():
        return []
    font = get_font(findfont(FontProperties()))
    return [
        character for character in set(text) if character != "\n" and not font.get_char_index(ord(character))
    ]


def _find_families(characters: Iterable[str]) -> None:
    """Note in `_FAMILIES` who has these characters; each font of the machine is opened once."""
    wanted = {character for character in characters if character not in _FAMILIES}
    for entry in sorted(fontManager.ttflist, key=_rank) if wanted else ():
        if entry.style != "normal" or entry.name.startswith(_STAND_INS):
            continue
        try:
            font = get_font(entry.fname)
        except (OSError, RuntimeError):  # removed since the list was made; damaged
            continue
        found = {character for character in wanted if font.get_char_index(ord(character))}
        _FAMILIES.update(dict.fromkeys(found, entry.name))
        wanted -= found
        if not wanted:
            break
    _FAMILIES.update(dict.fromkeys(wanted))


def _rank(entry: FontEntry) -> tuple[int, bool, str]:
    preferred = (place for place, name in enumerate(_PREFERRED) if entry.name.startswith(name))
    return next(preferred, len(_PREFERRED)), "Sans" not in entry.name, entry.name
