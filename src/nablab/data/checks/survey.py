"""Picture files as they are, before they are brought to one size and colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nablab.data.fetch import Progress
from nablab.data.sources.decoding import in_parallel
from nablab.data.sources.listing import Listing
from nablab.data.sources.picture import Header, read_header, read_picture
from nablab.errors import UserError


@dataclass(frozen=True, eq=False)
class Survey:
    """What the headers of listed picture files say.

    Attributes:
        listing: the files whose headers can be read, R of them.
        headers: (R,) in the order of the listing.
        broken: the files that cannot be read, with the reason; also those found when they are decoded.
    """

    listing: Listing
    headers: tuple[Header, ...]
    broken: tuple[tuple[Path, str], ...] = ()

    @property
    def labels(self) -> NDArray[np.int64]:
        """(R,) the class of each picture."""
        return self.listing.labels

    @property
    def one_size(self) -> bool:
        """Whether all pictures have the same height and width."""
        return len({(header.width, header.height) for header in self.headers}) < 2

    def without_what_cannot_be_decoded(self) -> Survey:
        """Decode every file, and move those that cannot be from the listing to the broken ones."""
        reasons = list(in_parallel(_decoding_error, self.listing.files))
        return self._split(reasons, self.headers)

    def _split(self, reasons: Sequence[str], headers: Sequence[Header | None]) -> Survey:
        readable = np.array([not reason for reason in reasons], dtype=np.bool_)
        broken = [(file, why) for file, why in zip(self.listing.files, reasons, strict=True) if why]
        kept = [header for header, reason in zip(headers, reasons, strict=True) if header and not reason]
        return Survey(self.listing.only(readable), tuple(kept), (*self.broken, *broken))


def survey(listing: Listing, progress: Progress | None = None) -> Survey:
    """Read the headers of listed files."""
    headers: list[Header | None] = []
    reasons = []
    for header, reason in in_parallel(_header, listing.files):
        headers.append(header)
        reasons.append(reason)
        if progress:
            progress("reading headers", len(headers), len(listing.files))
    return Survey(listing, ())._split(reasons, headers)


def _header(file: Path) -> tuple[Header | None, str]:
    try:
        return read_header(file), ""
    except UserError as error:
        return None, str(error)


def _decoding_error(file: Path) -> str:
    try:
        read_picture(file, None, "rgb")
    except UserError as error:
        return str(error)
    return ""
