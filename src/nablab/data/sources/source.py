"""What a registered data set is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress
from nablab.errors import UserError


@dataclass(frozen=True)
class Source:
    """A data set that can be asked for by name.

    Attributes:
        name: what the user types, e.g. `fashion-mnist`.
        title: what it is called in headings.
        description: what is in it, in one line.
        licence: the licence of the data, in one line.
        load: the data set, or as much of it as is here. Never uses the network.
        available: which part is here and where, in one line.
        download: fetches the rest and says what is here then; None for what needs no download.
    """

    name: str
    title: str
    description: str
    licence: str
    load: Callable[[], Dataset]
    available: Callable[[], str]
    download: Callable[[Progress | None], str] | None = None

    def fetch(self, progress: Progress | None = None) -> str:
        """Download what is not here, and say in one line what is here then.

        Raises:
            UserError: a data set that has nothing to download.
            NablabError: no mirror could be reached, or the cache folder cannot be written to.
        """
        if self.download is None:
            raise UserError(f"{self.name} needs no download: {self.available()}")
        return self.download(progress)
