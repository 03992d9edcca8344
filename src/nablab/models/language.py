"""The layer language: `20C5p0-ReLU-MaxPool2-500-ReLU-K` is a network.

    network = item {"-" item}          item = [INT "x"] unit     (3x(...) repeats)
    unit = INT "C" INT ["s" INT] ["p" INT] ["g" INT] ["b0"]    filters, kernel, stride, padding, groups
         | "DW" INT ["s" INT] ["p" INT] ["b0"]          depthwise convolution; b0: without a bias
         | INT | "K"                                    linear layer; K = the number of classes
         | ("MaxPool" | "AvgPool") INT ["s" INT] ["p" INT]
         | "GlobalAvgPool" | "GlobalMaxPool" | "Flatten"
         | "Widen" INT                                  channels of zeros are appended
         | "BatchNorm" | "LayerNorm" | "InstanceNorm" | "GroupNorm" INT | "Dropout" NUMBER
         | "ReLU" | "ReLU6" | "LeakyReLU" [NUMBER] | "PReLU" | "ELU" | "GELU" | "SiLU"
         | "Softplus" | "Tanh" | "Sigmoid"
         | "(" network ")"
         | "Res(" network ["|" network] ")"             residual: the body, and after | its shortcut

A convolution without `p` keeps the size. Case and blanks do not matter; `s`, `p`, `g` and `b` come in any
order. A `Res` without a shortcut adds its input as it is, through a 1x1 projection where the shapes differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from nablab.errors import UserError
from nablab.models import spec as layers
from nablab.models.forms import BY_LOWER, FORMS, OPTIONS
from nablab.models.printing import layer_text, to_text
from nablab.models.spec import Layer, Residual, Spec

__all__ = ["layer_text", "parse", "to_text"]

#: Layers of one network, repeats written out; and brackets inside brackets.
MOST_LAYERS = 1000
DEEPEST = 20

_ONE_SHORTCUT = "stands only between the body of a Res(...) and its one shortcut, as in Res(8C3s2|8C1s2)"


def parse(text: str) -> Spec:
    """The network that a string of the layer language means.

    >>> parse("2x(8c3-relu)-K").layers[0]
    Conv(filters=8, kernel=3, stride=1, padding=1, groups=1, bias=True)

    Raises:
        UserError: not a network; says which layer, at which character, and why.
    """
    # A dash that a PDF or a word processor made typographic is still a dash.
    text = " ".join(re.sub("[\u2010-\u2015\u2212]", "-", text).split())
    return Spec(_Parser(text).whole())


@dataclass(frozen=True)
class _Token:
    """A bracket, a bar, a dash, or whatever stands between them. `start` counts from 0."""

    text: str
    start: int


_TOKEN = re.compile(r"[()|-]|[^\s()|-]+")
_REPEAT = re.compile(r"([0-9]+)x(.*)", re.IGNORECASE)
_CONVOLUTION = re.compile(r"([0-9]+)c([0-9]+)((?:[spgb][0-9]+)*)", re.IGNORECASE)
_NAMED = re.compile(r"(relu6|[a-z]+)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)?((?:[spgb][0-9]+)*)", re.IGNORECASE)


class _Parser:
    """Recursive descent: one method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [_Token(m.group(), m.start()) for m in _TOKEN.finditer(text)]
        self.tokens.append(_Token("", len(text)))
        self.next = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def whole(self) -> tuple[Layer, ...]:
        if not self.token.text:
            raise UserError('an empty text is no network; write layers, e.g. "32C3-ReLU-MaxPool2-K"')
        sequence = self.network("", 0)
        if self.token.text == ")":
            raise self.error(self.token, "", 'is not open, so it cannot close; remove ")"')
        if self.token.text:
            raise self.error(self.token, "", _ONE_SHORTCUT)
        return sequence

    def network(self, prefix: str, depth: int) -> tuple[Layer, ...]:
        if depth > DEEPEST:
            raise self.error(self.token, prefix, f"more than {DEEPEST} brackets inside each other")
        sequence: list[Layer] = []
        number = 0
        while True:
            number += 1
            place = f"{prefix}{number}"
            start = self.token
            sequence += self.item(place, depth)
            if _count(sequence) > MOST_LAYERS:
                raise self.error(start, place, f"the network would have more than {MOST_LAYERS} layers")
            if self.token.text in ("", ")", "|"):
                return tuple(sequence)
            if self.token.text != "-":
                raise self.error(
                    self.token, place, 'something is missing before it; layers are joined by "-"'
                )
            self.next += 1

    def item(self, place: str, depth: int) -> tuple[Layer, ...]:
        token = self.token
        repeated = _REPEAT.fullmatch(token.text)
        if not repeated:
            return self.unit(token, place, depth)
        times, rest = repeated.groups()
        self.tokens[self.next] = _Token(rest, token.start + len(times) + 1)
        if not rest:
            self.next += 1
            if self.token.text != "(":
                raise self.error(token, place, "what is repeated must follow, e.g. 3x(64C3-ReLU) or 3x100")
        sequence = self.unit(self.token, place, depth)
        if not 1 <= self.integer(times, token, place) * _count(sequence) <= MOST_LAYERS:
            raise self.error(token, place, f"the repeat must make from 1 to {MOST_LAYERS} layers")
        return sequence * int(times)

    def unit(self, token: _Token, place: str, depth: int) -> tuple[Layer, ...]:
        if token.text in ("", "-", ")", "|"):
            raise self.error(token, place, "a layer is missing here")
        self.next += 1
        if token.text == "(":
            sequence = self.network(f"{place}.", depth + 1)
            self.close(token, place)
            return sequence
        if token.text.lower() == "res" and self.token.text == "(":
            self.next += 1
            return (self.residual(token, place, depth),)
        return (self.layer(token, place),)

    def residual(self, opening: _Token, place: str, depth: int) -> Residual:
        body = self.network(f"{place}.", depth + 1)
        shortcut: tuple[Layer, ...] = ()
        if self.token.text == "|":
            self.next += 1
            shortcut = self.network(f"{place}|", depth + 1)
        self.close(opening, place)
        return Residual(body, shortcut)

    def close(self, opening: _Token, place: str) -> None:
        if self.token.text == "|":
            raise self.error(self.token, place, _ONE_SHORTCUT)
        if self.token.text != ")":
            raise self.error(opening, place, 'its bracket is never closed; add ")"')
        self.next += 1

    def layer(self, token: _Token, place: str) -> Layer:
        text = token.text
        if text.lower() == "k":
            return layers.Linear(None)
        if re.fullmatch("[0-9]+", text):
            return self.made(token, place, layers.Linear, self.integer(text, token, place))
        if convolution := _CONVOLUTION.fullmatch(text):
            filters, kernel, options = convolution.groups()
            chosen = self.options(options, "spgb", token, place)
            sizes = (self.integer(filters, token, place), self.integer(kernel, token, place))
            return self.made(token, place, layers.Conv, *sizes, **chosen)
        named = _NAMED.fullmatch(text)
        if named and named[1].lower() in BY_LOWER:
            return self.named(named, token, place)
        raise self.error(token, place, _no_such_layer(text))

    def named(self, parts: re.Match[str], token: _Token, place: str) -> Layer:
        word = BY_LOWER[parts[1].lower()]
        form = FORMS[word]
        number = parts[2]
        if number is None and form.number is not None and not form.optional:
            raise self.error(token, place, f"{word} needs a number, e.g. {form.example}")
        if number is not None and (form.number is None or (form.number is int and "." in number)):
            raise self.error(token, place, f"{word} takes no such number; write {form.example}")
        chosen = self.options(parts[3], form.options, token, place)
        if number is None:
            return self.made(token, place, form.make, **chosen)
        value = float(number) if form.number is float else self.integer(number, token, place)
        return self.made(token, place, form.make, value, **chosen)

    def made(
        self, token: _Token, place: str, make: Callable[..., Layer], *sizes: float, **options: int
    ) -> Layer:
        try:
            return make(*sizes, **options)
        except UserError as error:
            raise self.error(token, place, str(error)) from None

    def options(self, text: str, allowed: str, token: _Token, place: str) -> dict[str, int]:
        chosen: dict[str, int] = {}
        for letter, digits in re.findall("([a-z])([0-9]+)", text.lower()):
            if letter not in allowed:
                raise self.error(token, place, f'it takes no option "{letter}"')
            if OPTIONS[letter] in chosen:
                raise self.error(token, place, f'it has the option "{letter}" twice')
            chosen[OPTIONS[letter]] = self.integer(digits, token, place)
        return chosen

    def integer(self, digits: str, token: _Token, place: str) -> int:
        if len(digits) > 7:
            raise self.error(token, place, f"{digits[:12]} is too large")
        return int(digits)

    def error(self, token: _Token, place: str, why: str) -> UserError:
        layer = f"layer {place.rstrip('.|')}, " if place else ""
        name = f'"{token.text}"' if token.text else "the end"
        quoted = _quote(self.text, token)
        return UserError(f"{quoted}: {layer}{name} (character {token.start + 1}): {why}")


def _count(sequence: tuple[Layer, ...] | list[Layer]) -> int:
    return sum(
        1 + _count(layer.body) + _count(layer.shortcut) if isinstance(layer, Residual) else 1
        for layer in sequence
    )


def _no_such_layer(text: str) -> str:
    if text[0].isdigit():
        return "no such layer; a convolution is written as 64C3 or 64C3s2p1, a linear layer as 100 or K"
    letters = re.match("[a-z]*", text.lower())
    word = letters.group() if letters else ""
    near = [
        BY_LOWER.get(name, "Res(...)") for name in get_close_matches(word, [*BY_LOWER, "res"], 2, cutoff=0.6)
    ]
    if near:
        return f"no such layer; did you mean {' or '.join(near)}?"
    return f"no such layer; known: 64C3, 100, K, Res(...), {', '.join(sorted(FORMS))}"


def _quote(text: str, token: _Token) -> str:
    """The text around a token, which stands between angles: `"32C3-»Maxpol2«-K"`."""
    end = token.start + len(token.text)
    before, after = text[: token.start], text[end:]
    if len(before) > 40:
        before = "..." + before[-37:]
    if len(after) > 24:
        after = after[:21] + "..."
    return f'"{before}»{token.text}«{after}"'
