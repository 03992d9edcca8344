"""What a registered data set is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nablab.data.dataset import Dataset
from nablab.data.fetch import Progress
from nablab.data.sources.prepared import Prepared
from nablab.errors import CannotWrite, NablabError, UserError


class Preparer(Protocol):
    """Decodes the pictures of a data set, in a folder or an archive, into the cache."""

    def __call__(
        self,
        place: Path,
        *,
        size: int | None,
        color: str | None,
        strict: bool,
        progress: Progress | None,
    ) -> Prepared: ...


@dataclass(frozen=True)
class Source:
    """A data set that can be asked for by name.

    Attributes:
        name: what the user types, e.g. `fashion-mnist`.
        title: what it is called in headings.
        description: what is in it, in one line.
        licence: the licence of the data, in one line.
        load: the data set, or as much of it as is here; a UserError (see `not_here`) where nothing is. Never
            uses the network.
        available: which part is here and where, in one line; where nothing is, `not here: ` and what to do.
        download: fetches the rest and says what is here then; None for what no program can download, or
            what needs no download.
        wanted: for what a person has to get: which files, from where, and the command that takes them in,
            e.g. `` `X.npy` and `Y.npy` from https://..., then `nablab data import NAME X.npy Y.npy` ``.
        importer: takes in files that the user has and says what is here then; None for what needs none.
        preparer: decodes pictures that the user has; None for what is not pictures.
    """

    name: str
    title: str
    description: str
    licence: str
    load: Callable[[], Dataset]
    available: Callable[[], str]
    download: Callable[[Progress | None], str] | None = None
    wanted: str = ""
    importer: Callable[[Sequence[Path], Progress | None], str] | None = None
    preparer: Preparer | None = None

    def fetch(self, progress: Progress | None = None) -> str:
        """Download what is not here, and say in one line what is here then.

        Raises:
            UserError: a data set that has nothing to download, or that only a person can.
            NablabError: no mirror could be reached, or the cache folder cannot be written to.
        """
        if self.download is not None:
            try:
                return self.download(progress)
            except NablabError as error:
                if self.importer is None or isinstance(error, CannotWrite):
                    raise
                way = f"`nablab data import {self.name} FILES` takes files that were got elsewhere"
                raise NablabError(f"{error}; {way}") from error
        if self.wanted:
            raise UserError(f"{self.name} cannot be downloaded by a program; get {self.wanted}")
        raise UserError(f"{self.name} needs no download: {self.available()}")

    def take_in(self, files: Sequence[Path], progress: Progress | None = None) -> str:
        """Import files that the user has got, and say in one line what is here then.

        Raises:
            UserError: a data set that takes no files, or files that are not what it takes.
            NablabError: the cache folder cannot be written to.
        """
        if self.importer is None:
            command = f"is downloaded: `nablab data fetch {self.name}`"
            raise UserError(f"{self.name} {command if self.download else 'needs no files of yours'}")
        return self.importer(files, progress)


def not_here(name: str, ways: str) -> UserError:
    """The error of a data set of which nothing is here; `ways` says how to get it.

    >>> not_here("cifar10", "`nablab data fetch cifar10` downloads it")
    UserError('cifar10 is not here: `nablab data fetch cifar10` downloads it')
    """
    return UserError(f"{name} is not here: {ways}")
