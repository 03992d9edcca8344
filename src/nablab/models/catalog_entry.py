"""What is known of a network that has a name."""

from __future__ import annotations

from dataclasses import dataclass

from nablab.models.language import parse
from nablab.models.spec import Spec


@dataclass(frozen=True)
class CatalogEntry:
    """A network that has a name."""

    name: str
    text: str  #: in the layer language
    title: str  #: a few words
    note: str  #: what it is, where it comes from, and what of it is a guess of ours

    @property
    def spec(self) -> Spec:
        return parse(self.text)
