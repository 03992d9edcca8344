"""Networks by name: those of the course documents, those of papers, and ours."""

from __future__ import annotations

import re

from nablab.models.catalog_course import COURSE
from nablab.models.catalog_entry import CatalogEntry
from nablab.models.catalog_papers import PAPERS
from nablab.models.language import parse
from nablab.models.spec import Spec

#: What `nablab compare` compares when nothing is named: the four of the course, and our three.
DEFAULT_COMPARISON = (
    *("net_linear", "lenet_tiny", "lenet", "fashion_cnn"),
    *("resnet_mini", "separable", "convmixer"),
)

CATALOG: dict[str, CatalogEntry] = {entry.name: entry for entry in (*COURSE, *PAPERS)}


_BY_LETTERS = {name.replace("_", ""): entry for name, entry in CATALOG.items()}


def find(name: str) -> CatalogEntry | None:
    """The entry of a name, however its case, dashes and underscores are written; None where there is none.

    >>> find("ResNet-18").name, find("WRN-40-4").name
    ('resnet18', 'wrn_40_4')
    """
    return _BY_LETTERS.get(re.sub(r"[-_\s]", "", name.lower()))


def spec(name_or_text: str) -> Spec:
    """The network of a catalog name, or of a string of the layer language.

    >>> str(spec("mlp"))
    '100-ReLU-K'

    Raises:
        UserError: neither; says where the string is wrong.
    """
    entry = find(name_or_text)
    return entry.spec if entry else parse(name_or_text)
