"""Formulas in LaTeX as MathML, which browsers draw by themselves: no script, no font, no network."""

from __future__ import annotations

import re
from functools import lru_cache
from xml.etree import ElementTree

from nablab.errors import NablabError

#: What latex2mathml reads otherwise than LaTeX does, as something that it reads alike.
_REWRITTEN = (
    (re.compile(r"\\(begin|end)\{aligned\}"), r"\\\1{align*}"),
    (re.compile(r"\\arg\b"), r"\\operatorname{arg}"),
    (re.compile(r"\\[bB]igg?l(?=\s*\\[a-zA-Z])"), r"\\left"),
    (re.compile(r"\\[bB]igg?r(?=\s*\\[a-zA-Z])"), r"\\right"),
)
_NAME = "{{http://www.w3.org/1998/Math/MathML}}{}"
_NAMES = (_NAME.format("mi"), _NAME.format("mo"))
_FUNCTION = re.compile("[a-z]{2,}")


@lru_cache(maxsize=4096)
def mathml(latex: str, *, block: bool = False) -> str:
    """A formula as a `<math>` element.

    Args:
        latex: the formula, without dollar signs.
        block: on a line of its own.

    >>> mathml("x^2")
    '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><msup><mi>x</mi>...'

    Raises:
        NablabError: it is no LaTeX that can be converted: an unknown command, or braces that do not match.
    """
    from latex2mathml.converter import convert

    text = latex.strip()
    for pattern, instead in _REWRITTEN:
        text = pattern.sub(instead, text)
    try:
        root = ElementTree.fromstring(convert(text, display="block" if block else "inline"))
    except Exception as error:
        said = str(error) or type(error).__name__
        raise NablabError(f"the formula {latex!r} is not understood: {said}") from error
    for element in root.iter():
        words = element.text or ""
        if "\\" in words and words != "\\":
            raise NablabError(f"the formula {latex!r} is not understood: {words}")
        if element.tag == _NAME.format("mspace") and "linebreak" in element.attrib:
            raise NablabError(f"the formula {latex!r} has lines, but is in no environment that has")
    _space_functions(root)
    # Browsers read the elements' names without a prefix.
    return ElementTree.tostring(root, encoding="unicode").replace("ns0:", "").replace(":ns0", "")


def _space_functions(root: ElementTree.Element) -> None:
    """Set names such as log and max apart from what they are applied to, as TeX does; not from a bracket."""
    for parent in root.iter():
        following = [*list(parent)[1:], None]
        for element, after in zip(list(parent), following, strict=False):
            if element.tag in _NAMES and _FUNCTION.fullmatch(element.text or ""):
                bracket = after is not None and (after.text or "") in ("(", "[", "{")
                element.tag = _NAME.format("mo")
                element.attrib = {"lspace": "0.1667em", "rspace": "0" if bracket else "0.1667em"}
