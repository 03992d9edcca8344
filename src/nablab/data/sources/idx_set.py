"""A data set in the four files that MNIST came in: training and test images, training and test labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nablab.data.cache import cache_folder
from nablab.data.decoded import Arrays, Expected, has_decoded, read_or_decode, write_decoded
from nablab.data.fetch import Progress, download
from nablab.data.sources.idx import idx_header, read_idx
from nablab.data.sources.npz import read_npz
from nablab.errors import NablabError, UserError


@dataclass(frozen=True)
class Part:
    """One of the four files.

    Attributes:
        file: its name, everywhere.
        download: SHA-256 of the file that is downloaded.
        contents: SHA-256 of the file unpacked (Debian packs Fashion-MNIST anew).
        shape: of the array in it.
    """

    file: str
    download: str
    contents: str
    shape: tuple[int, ...]

    @property
    def expected(self) -> Expected:
        """What the decoded array must look like."""
        return Expected(self.shape)

    def holds(self, array: NDArray[np.uint8]) -> bool:
        """Whether an array is the genuine one."""
        digest = hashlib.sha256(idx_header(array.shape))
        digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest() == self.contents


@dataclass(frozen=True)
class IdxSet:
    """Where the four files of a data set may be, and what must be in them.

    Attributes:
        name: of the data set, and of its folder in the cache.
        parts: the files by what is in them: `x_train`, `y_train`, `x_test`, `y_test`.
        mirrors: addresses to download from, tried in turn.
        system_folder: where a package of the operating system puts the files; None for no such package.
    """

    name: str
    parts: Mapping[str, Part]
    mirrors: tuple[str, ...]
    system_folder: Path | None = None

    @property
    def cache(self) -> Path:
        """The data set's folder in the cache."""
        return cache_folder() / self.name

    def read(self) -> Arrays | None:
        """Images (N, 28, 28) and labels (N,), memory-mapped; None where they are not here.

        From the decoded copy, which the first reading writes. Never uses the network.
        """
        return read_or_decode(self._decoded, self._expected(), self._find)

    def where(self) -> str:
        """Where the full set is, in one line, or nothing; goes by names and sizes, which is quick."""
        if has_decoded(self._decoded, self._expected()):
            return "in the cache"
        return next((what for what, folder in self._folders() if self._is_complete(folder)), "")

    def fetch(self, progress: Progress | None = None) -> None:
        """Download what is not here.

        Raises:
            NablabError: no mirror gave the right files, or the cache folder cannot be written to.
        """
        if self.read() is not None:
            return
        for part in self.parts.values():
            download(part.file, part.download, self.mirrors, self.cache, progress)
        if self.read() is None:
            raise NablabError(f"{self.name}: what was downloaded into {self.cache} cannot be read; remove it")

    def take_in(self, files: Sequence[Path]) -> None:
        """Decode the four files, packed or not, or those in one folder, into the cache.

        Or Keras' `.npz`, whose arrays are called as `parts` are.

        Raises:
            UserError: a file that is missing, cannot be read, or is not the genuine one.
            NablabError: the cache folder cannot be written to.
        """
        is_npz = len(files) == 1 and files[0].suffix.lower() == ".npz" and files[0].is_file()
        write_decoded(self._decoded, self._from_npz(files[0]) if is_npz else self._from_files(files))

    def _from_npz(self, path: Path) -> Arrays:
        arrays = read_npz(path, tuple(self.parts))
        for name, part in self.parts.items():
            if not part.holds(arrays[name]):
                raise UserError(
                    f"{path}: {name} is not that of {self.name} (its contents differ); to use the file as it "
                    f"is, give --data {path}"
                )
        return arrays

    def _from_files(self, files: Sequence[Path]) -> Arrays:
        by_name = {_plain_name(path.name): path for path in _given(files)}
        arrays = {}
        for name, part in self.parts.items():
            path = by_name.get(_plain_name(part.file))
            if path is None:
                raise UserError(f"{self.name}: {part.file} is missing; give all four files or their folder")
            arrays[name] = read_idx(path)
            if not part.holds(arrays[name]):
                raise UserError(f"{path}: is not {part.file} of {self.name} (its contents differ)")
        return arrays

    @property
    def _decoded(self) -> Path:
        return self.cache / "decoded"

    def _expected(self) -> dict[str, Expected]:
        return {name: part.expected for name, part in self.parts.items()}

    def _folders(self) -> Iterator[tuple[str, Path]]:
        yield "as downloaded into the cache", self.cache
        if self.system_folder is not None:
            yield "from the system's package", self.system_folder

    def _is_complete(self, folder: Path) -> bool:
        return all((folder / part.file).is_file() for part in self.parts.values())

    def _find(self) -> Arrays | None:
        """The arrays from the first folder that holds all four files whole and genuine."""
        for _, folder in self._folders():
            if self._is_complete(folder) and (arrays := self._decode(folder)) is not None:
                return arrays
        return None

    def _decode(self, folder: Path) -> Arrays | None:
        """The arrays in a folder of the four files, or None where they are not whole and genuine."""
        try:
            arrays = {name: read_idx(folder / part.file) for name, part in self.parts.items()}
        except UserError:
            return None
        return arrays if all(part.holds(arrays[name]) for name, part in self.parts.items()) else None


def _given(files: Sequence[Path]) -> Sequence[Path]:
    """The files, or those in the one folder that was given."""
    for path in files:
        if not path.exists():
            raise UserError(f"no such file or folder: {path}")
    try:
        return sorted(files[0].iterdir()) if len(files) == 1 and files[0].is_dir() else files
    except OSError as error:
        raise UserError(f"{files[0]}: cannot be read ({error.strerror})") from error


def _plain_name(name: str) -> str:
    """`train-images-idx3-ubyte` for all the ways in which that file is called."""
    return name.lower().removesuffix(".gz").replace(".idx", "-idx")
