"""Turns figures into SVG elements that follow the light or dark theme of the page they stand in.

Each colour of `plots_theme` becomes a CSS variable (`var(--series-1, #0b6bb5)`), ink `currentColor`, text the
page's font. Ids are made unique, so that any number of figures can stand in one page.
"""

from __future__ import annotations

import re
import warnings
from io import StringIO
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from nablab.report.graph_svg import clean
from nablab.report.plots_theme import DARK, GRID, GRID_DARK, INK, LIGHT, PAPER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_RC: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "nablab", "path.simplify_threshold": 0.2}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
#: CSS pixels in the points that matplotlib counts in.
_PIXELS = 96 / 72

_COLORS = {INK: "currentColor", GRID: f"var(--plot-grid, {GRID})", PAPER: f"var(--paper, {PAPER})"}
_COLORS |= {color: f"var(--series-{i}, {color})" for i, color in enumerate(LIGHT, start=1)}


def css_variables(dark: bool) -> dict[str, str]:
    """The CSS variables that figures refer to, with their values on a light or a dark page."""
    names = {f"--series-{i}": color for i, color in enumerate(DARK if dark else LIGHT, start=1)}
    return names | {"--plot-grid": GRID_DARK if dark else GRID}


def themed_svg(figure: Figure, key: str, label: str) -> str:
    """The figure as one `<svg>` element: transparent, the same for the same figure.

    Args:
        key: letters, digits, `-` and `_`; begins every id, so unique in the page.
        label: what a screen reader says.
    """
    root = ElementTree.fromstring(_draw(figure))
    _drop_what_pages_do_not_need(root)
    used = {name for element in root.iter() for name in _references(element)}
    for element in root.iter():
        _restyle(element, key, used)
    width, height = (float(n) * _PIXELS for n in root.attrib["viewBox"].split()[2:])
    root.attrib |= {
        "width": f"{width:.0f}",
        "height": f"{height:.0f}",
        "role": "img",
        "aria-label": clean(label),
    }
    root.attrib |= {"stroke-linejoin": "round", "fill": "#000"}
    ElementTree.register_namespace("", _SVG[1:-1])
    ElementTree.register_namespace("xlink", _HREF[1 : _HREF.index("}")])
    return ElementTree.tostring(root, encoding="unicode")


def _draw(figure: Figure) -> str:
    import matplotlib

    buffer = StringIO()
    with matplotlib.rc_context(_RC), warnings.catch_warnings():
        # A name in a script that matplotlib's own font lacks; the reader's browser has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    return buffer.getvalue()


def _drop_what_pages_do_not_need(parent: Element) -> None:
    """Metadata, the style sheet (it would hold for the whole page), white space, groups that say nothing."""
    kept: list[Element] = []
    for child in parent:
        _drop_what_pages_do_not_need(child)
        if child.tag in (f"{_SVG}metadata", f"{_SVG}style") or _is_blank(child):
            continue
        kept.extend(child if child.tag == f"{_SVG}g" and not set(child.attrib) - {"id"} else [child])
    parent[:] = kept
    parent.tail = None
    if parent.text is not None and not parent.text.strip():
        parent.text = None


def _is_blank(element: Element) -> bool:
    """Whether nothing of it is seen: an empty group, a background without a colour."""
    if element.tag in (f"{_SVG}g", f"{_SVG}defs"):
        return len(element) == 0
    return element.tag == f"{_SVG}path" and element.get("style") == "fill: none"


def _references(element: Element) -> list[str]:
    """The ids that an element refers to."""
    text = " ".join(element.attrib.values())
    return re.findall(r"url\(#([^)]+)\)", text) + re.findall(r"^#(.+)", element.get(_HREF, ""))


def _restyle(element: Element, key: str, used: set[str]) -> None:
    name = element.attrib.pop("id", None)
    if name in used:
        element.set("id", f"{key}-{name}")
    for attribute, value in list(element.attrib.items()):
        value = re.sub(r"url\(#", f"url(#{key}-", value)
        if attribute == _HREF:
            value = f"#{key}-{value[1:]}"
        elif attribute == "style":
            value = _page_style(value)
        elif attribute == "transform" and value.startswith("rotate(-0 "):
            del element.attrib[attribute]
            continue
        elif attribute in ("d", "x", "y", "points", "transform"):
            value = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}", value)
            value = re.sub(r"\s+", " ", value).strip()
        element.set(attribute, value)


def _page_style(style: str) -> str:
    """A style attribute with the page's colours and without a font of its own."""
    style = re.sub(r"font: [^;]*?([\d.]+px)[^;]*", r"font-size: \1", style)
    style = re.sub(r"font-family: [^;]*;?\s*", "", style)
    for color, variable in _COLORS.items():
        style = style.replace(color, variable)
    return re.sub(r"\s*;\s*", ";", style).replace(": ", ":").strip(";")
