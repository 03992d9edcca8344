"""Networks by name: those of the course documents, those of papers, and ours."""

from __future__ import annotations

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


def spec(name_or_text: str) -> Spec:
    """The network of a catalog name, or of a string of the layer language.

    >>> str(spec("mlp"))
    '100-ReLU-K'

    Raises:
        UserError: neither; says where the string is wrong.
    """
    entry = CATALOG.get(name_or_text.strip().lower())
    return entry.spec if entry else parse(name_or_text)
