"""The few SVG shapes that network drawings are made of, and what a kind of layer looks like.

Built as an element tree, so that every text is escaped by the serialiser. Colours are mid-tones that
hold against light and dark pages; all else is `currentColor`. Nothing has an id: drawings can stand
in one page in any number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from rich.cells import cell_len, set_cell_size

SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
MONO = "ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, 'DejaVu Sans Mono', monospace"

#: Presentation attributes of outlines and of text that stands back.
FRAME = {"fill": "currentColor", "fill_opacity": ".045", "stroke": "currentColor", "stroke_opacity": ".25"}
QUIET = {"fill_opacity": ".65"}

#: Characters that XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Kind:
    """What a layer does, and the colour that says so."""

    name: str
    colour: str


CONVOLUTION = Kind("convolution", "#3d7cc9")
LINEAR = Kind("linear", "#b5548f")
POOLING = Kind("pooling", "#c77c1e")
NORMALISATION = Kind("normalisation", "#2a9080")
ACTIVATION = Kind("activation", "#cf5b4d")
DROPOUT = Kind("dropout", "#8a8f98")
OTHER = Kind("other", "#77808c")

#: Kinds by what a layer's name looks like: in the layer language, as a PyTorch class or function.
_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"\d+c\d|dw\d|.*conv", CONVOLUTION),
    (r"\d+$|k$|.*linear$", LINEAR),
    (r".*pool|flatten|mean$", POOLING),
    (r".*norm", NORMALISATION),
    (r".*dropout", DROPOUT),
    (r".*(relu|elu|gelu|silu|swish|mish|softplus|tanh|sigmoid|softmax)", ACTIVATION),
)


def kind_of(layer: str) -> Kind:
    """The kind of a layer by its canonical text or class name.

    >>> kind_of("64C3").name, kind_of("BatchNorm2d").name, kind_of("K").name
    ('convolution', 'normalisation', 'linear')
    """
    for pattern, kind in _KINDS:
        if re.match(pattern, layer.lower()):
            return kind
    return OTHER


def shape_text(shape: Iterable[int]) -> str:
    """A shape as people write it.

    >>> shape_text((20, 12, 12))
    '20 × 12 × 12'
    """
    return " × ".join(str(n) for n in shape)


def number(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


class Drawing:
    """An SVG under construction. Coordinates are pixels, y grows downwards."""

    def __init__(
        self, width: float, height: float, title: str, description: str, *, max_width: float = float("inf")
    ) -> None:
        scale = min(max_width / width, 1.0)
        self.root = Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {number(width)} {number(height)}",
                "width": number(scale * width),
                "height": number(scale * height),
                "role": "img",
                "aria-label": clean(title),
                "font-family": SANS,
                "font-size": "12",
                "fill": "currentColor",
            },
        )
        SubElement(self.root, "title").text = clean(title)
        SubElement(self.root, "desc").text = clean(description)

    def to_text(self) -> str:
        return tostring(self.root, encoding="unicode")

    def group(self, hint: str) -> Element:
        """A group whose `hint` browsers show when pointed at."""
        group = SubElement(self.root, "g")
        SubElement(group, "title").text = clean(hint)
        return group

    def line(self, path: str, *, dashed: bool = False) -> None:
        """A thin connecting line along the SVG path data `path`."""
        attributes = {"d": path, "fill": "none", "stroke": "currentColor", "stroke-opacity": ".45"}
        if dashed:
            attributes["stroke-dasharray"] = "4 3"
        SubElement(self.root, "path", attributes | {"stroke-width": "1.5"})

    def arrow_head(self, x: float, y: float) -> None:
        """A head that points down, its tip at (x, y)."""
        path = f"M{number(x - 4)} {number(y - 6)}L{number(x)} {number(y)}L{number(x + 4)} {number(y - 6)}"
        self.line(path)

    def circle(self, parent: Element, x: float, y: float, radius: float, **style: str) -> None:
        place = {"cx": number(x), "cy": number(y), "r": number(radius)}
        SubElement(parent, "circle", place | _attributes(style))


def rectangle(
    parent: Element, x: float, y: float, width: float, height: float, *, radius: float = 0, **style: str
) -> None:
    """A rectangle; `style` holds presentation attributes, `_` for `-`."""
    attributes = {"x": number(x), "y": number(y), "width": number(width), "height": number(height)}
    if radius:
        attributes["rx"] = number(radius)
    SubElement(parent, "rect", attributes | _attributes(style))


def text(parent: Element, x: float, y: float, content: str, **style: str) -> None:
    """One line of text with its baseline at y."""
    element = SubElement(parent, "text", {"x": number(x), "y": number(y)} | _attributes(style))
    element.text = clean(content)


def clean(content: str) -> str:
    """`content` without the characters that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", content)


def clipped(content: str, length: int) -> str:
    """`content` with its middle left out where it is wider than `length` letters; Chinese ones count twice.

    >>> clipped("BasicConvolutionBlock", 12), clipped("数字标签的名称", 10)
    ('BasicC…Block', '数字…名称')
    """
    if cell_len(content) <= length:
        return content
    head = length // 2
    end = set_cell_size(content[::-1], length - head - 1)[::-1]
    return f"{set_cell_size(content, head).rstrip()}…{end.lstrip()}"


def _attributes(style: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in style.items()}
