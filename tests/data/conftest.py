"""Tests of data use a cache of their own, never the user's; and small data sets in the real formats."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nablab.data.sources import cifar10, fashion_mnist, mnist, sign_digits
from nablab.data.sources.cifar10 import Binary
from nablab.data.sources.idx_set import IdxSet, Part

Arrays = Mapping[str, NDArray[np.uint8]]


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NABLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@dataclass(frozen=True)
class StandIn:
    """A small data set in the format of a real one.

    Attributes:
        arrays: what is in it: `x_train` (N, C, H, W), `y_train` (N,), `x_test`, `y_test`; empty where the
            source cuts the test set off.
        files: what is downloaded, or brought by a person, by name.
        install: lets its source take it for the genuine one, with these mirrors; no system folder.
    """

    arrays: Arrays
    files: Mapping[str, bytes]
    install: Callable[[pytest.MonkeyPatch, Sequence[str]], None]

    def write(self, folder: Path) -> list[Path]:
        """The files, in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return [folder / name for name in self.files]


@pytest.fixture(scope="session")
def stand_ins() -> dict[str, StandIn]:
    """By the name of the source."""
    return {
        "fashion-mnist": idx_stand_in(fashion_mnist),
        "mnist": idx_stand_in(mnist),
        "cifar10": cifar_stand_in(),
        "sign-digits": sign_digits_stand_in(),
        "sign-digits-01": sign_digits_stand_in(),
        "dogs-vs-cats": dogs_and_cats_stand_in(),
    }


def draw(shape: tuple[int, ...], train: int, test: int) -> Arrays:
    generator = np.random.default_rng(0)
    return {
        "x_train": generator.integers(0, 256, (train, *shape), dtype=np.uint8),
        "y_train": (np.arange(train) % 10).astype(np.uint8),
        "x_test": generator.integers(0, 256, (test, *shape), dtype=np.uint8),
        "y_test": (np.arange(test) % 10).astype(np.uint8),
    }


def idx_stand_in(module: ModuleType) -> StandIn:
    arrays = draw((1, 28, 28), 40, 20)
    genuine: IdxSet = module.FILES
    files, parts = {}, {}
    for name, part in genuine.parts.items():
        array = arrays[name].reshape(-1, 28, 28) if name.startswith("x") else arrays[name]
        plain = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
        files[part.file] = gzip.compress(plain, mtime=0)
        download, contents = (hashlib.sha256(data).hexdigest() for data in (files[part.file], plain))
        parts[name] = Part(part.file, download, contents, array.shape)

    def install(patch: pytest.MonkeyPatch, mirrors: Sequence[str]) -> None:
        small = replace(genuine, parts=parts, mirrors=tuple(mirrors), system_folder=None)
        patch.setattr(module, "FILES", small)

    return StandIn(arrays, files, install)


def cifar_stand_in() -> StandIn:
    arrays = draw((3, 32, 32), 100, 20)
    batches = {
        name: b"".join(bytes([label]) + image.tobytes() for image, label in zip(x, y, strict=True))
        for name, x, y in (
            *zip(
                cifar10.TRAIN,
                np.split(arrays["x_train"], 5),
                np.split(arrays["y_train"], 5),
                strict=True,
            ),
            (cifar10.TEST, arrays["x_test"], arrays["y_test"]),
        )
    }
    members = {**batches, cifar10.NAMES: "\n".join((*cifar10.CLASSES, "")).encode(), "readme.html": b"<p>"}
    archive = pack({f"cifar-10-batches-bin/{name}": content for name, content in members.items()})

    def install(patch: pytest.MonkeyPatch, mirrors: Sequence[str]) -> None:
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in batches.items()}
        small = Binary(hashlib.sha256(archive).hexdigest(), digests, 20, tuple(mirrors))
        patch.setattr(cifar10, "BINARY", small)

    return StandIn(arrays, {cifar10.ARCHIVE: archive}, install)


def sign_digits_stand_in() -> StandIn:
    """As many images of each sign as in Kaggle's files, which are known by that."""
    images = [sign_digits._IMAGES[digit] for digit in sign_digits.COLUMNS]
    one_hot = np.eye(10)[np.repeat(np.arange(10), images)]
    x = np.random.default_rng(0).integers(0, 256, (len(one_hot), 64, 64), dtype=np.uint8)
    return arrays_stand_in(x, one_hot)


def dogs_and_cats_stand_in() -> StandIn:
    x = np.random.default_rng(0).integers(0, 256, (40, 64, 64), dtype=np.uint8)
    return arrays_stand_in(x, np.arange(40) % 2)


def arrays_stand_in(x: NDArray[np.uint8], y: NDArray[Any]) -> StandIn:
    """`X.npy` with `Y.npy`, which a person brings."""
    files = {}
    for name, array in (("X.npy", x), ("Y.npy", y)):
        packed = io.BytesIO()
        np.save(packed, array)
        files[name] = packed.getvalue()
    return StandIn({}, files, lambda patch, mirrors: None)


def pack(members: Mapping[str, bytes]) -> bytes:
    """A `.tar.gz` of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@dataclass(frozen=True)
class Web:
    """A local server of the files in a folder.

    The folder below its address says what it does: `good` delivers, `wrong` delivers a page in the place of
    each file, `short` closes the connection halfway, `stuck` stops halfway and says nothing more, `missing`
    answers 404.
    """

    folder: Path
    address: str


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    folder = tmp_path / "served"
    folder.mkdir()
    closing = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, way, name = self.path.split("/")
            content = (folder / name).read_bytes()
            if way == "missing":
                self.send_error(404)
                return
            if way == "wrong":
                content = b"an error page, delivered as success"
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if way in ("good", "wrong") else content[: len(content) // 2])
            self.wfile.flush()
            if way == "stuck":
                closing.wait(20)

        def log_message(self, *_: object) -> None:
            """Not on the terminal of the tests."""

    monkeypatch.setenv("NO_PROXY", "*")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Web(folder, f"http://127.0.0.1:{server.server_port}/")
        closing.set()
        server.shutdown()
        thread.join()
