"""Short names for models. They become names of folders: lower-case letters, digits, `_`, `.` and `-`."""

from __future__ import annotations

import re
from collections.abc import Collection

from nablab.models.printing import layer_text
from nablab.models.spec import Conv, DepthwiseConv, Layer, Linear, Residual, Spec

#: A label made of a layer string is at most so long.
_LONGEST = 32


def label_of_name(name: str) -> str:
    """A label from a name that a user chose.

    >>> label_of_name("MyNet (wide)")
    'mynet_wide'
    """
    return re.sub(r"[^a-z0-9_.-]+", "_", name.lower()).strip("._-")[:_LONGEST].strip("._-") or "model"


def label_of_spec(spec: Spec) -> str:
    """A label from a network: its layers, or its convolutions and linear layers where that is too long.

    >>> from nablab.models.language import parse
    >>> label_of_spec(parse("100-ReLU-K"))
    '100-relu-k'
    >>> label_of_spec(parse("32C3-BatchNorm-ReLU-MaxPool2-64C3-ReLU-GlobalAvgPool-K"))
    '32c3-64c3-k'
    >>> label_of_spec(parse("9x(32C3-ReLU)-K"))
    '32c3-32c3-7more-k'
    """
    whole = label_of_name(str(spec)) if len(str(spec)) <= _LONGEST else ""
    if whole and "(" not in str(spec):
        return whole
    weighty = list(_weighty(spec.layers)) or [layer_text(spec.layers[0])]
    short = "-".join(weighty).lower()
    if len(short) > _LONGEST:
        short = "-".join([*weighty[:2], f"{len(weighty) - 3}more", weighty[-1]]).lower()
    return label_of_name(short)


def unique_label(label: str, taken: Collection[str]) -> str:
    """The label, with a number where it is taken.

    >>> unique_label("lenet", {"lenet", "lenet-2"})
    'lenet-3'
    """
    if label not in taken:
        return label
    number = 2
    while f"{label}-{number}" in taken:
        number += 1
    return f"{label}-{number}"


def _weighty(sequence: tuple[Layer, ...]) -> list[str]:
    found: list[str] = []
    for layer in sequence:
        if isinstance(layer, Residual):
            found += _weighty(layer.body)
        elif isinstance(layer, Conv | DepthwiseConv | Linear):
            found.append(layer_text(layer))
    return found
