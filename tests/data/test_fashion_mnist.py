"""Fashion-MNIST's way in: cache, system folder, download, slice. On a small stand-in of the four files."""

import gzip
import hashlib
import http.server
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nablab.data.dataset import Dataset
from nablab.data.sources import fashion_mnist
from nablab.data.sources.fashion_mnist import Part
from nablab.errors import NablabError


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Not on the terminal of the tests."""


@pytest.fixture
def arrays() -> dict[str, NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    return {
        "x_train": generator.integers(0, 256, (40, 28, 28)).astype(np.uint8),
        "y_train": (np.arange(40) % 10).astype(np.uint8),
        "x_test": generator.integers(0, 256, (20, 28, 28)).astype(np.uint8),
        "y_test": (np.arange(20) % 10).astype(np.uint8),
    }


@pytest.fixture
def served(tmp_path: Path, arrays: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the stand-in's files, which `fashion_mnist` now takes for the genuine ones.

    The cache is an empty folder, and there is no system folder.
    """
    folder = tmp_path / "served" / "good"
    folder.mkdir(parents=True)
    parts = {}
    for name, array in arrays.items():
        header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        packed = gzip.compress(header + array.tobytes())
        part = Part(
            fashion_mnist.PARTS[name].file,
            hashlib.sha256(packed).hexdigest(),
            hashlib.sha256(array.tobytes()).hexdigest(),
            array.shape,
        )
        parts[name] = part
        (folder / part.file).write_bytes(packed)
    monkeypatch.setattr(fashion_mnist, "PARTS", parts)
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", tmp_path / "none")
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def address(served: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a local server of the folder above `served`."""
    monkeypatch.setenv("NO_PROXY", "*")
    handler = partial(QuietHandler, directory=str(served.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def assert_full(dataset: Dataset | None, arrays: dict[str, NDArray[np.uint8]]) -> None:
    assert dataset is not None
    assert not dataset.is_slice
    np.testing.assert_array_equal(dataset.x_train[:, 0], arrays["x_train"])
    np.testing.assert_array_equal(dataset.y_test, arrays["y_test"])


def decoded(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*.npy"))


def test_without_anything_it_is_the_slice(served: Path) -> None:
    dataset = fashion_mnist.load()
    assert len(dataset.x_train) == 6_000
    assert fashion_mnist.available() == dataset.hint


def test_fetch_goes_past_broken_mirrors_and_the_next_load_needs_no_network(
    served: Path,
    address: str,
    arrays: dict[str, NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = served.parent / "wrong"
    wrong.mkdir()
    for file in served.iterdir():
        (wrong / file.name).write_bytes(b"an error page, delivered as success")
    mirrors = ("http://127.0.0.1:9/", f"{address}missing/", f"{address}wrong/", f"{address}good/")
    monkeypatch.setattr(fashion_mnist, "MIRRORS", mirrors)
    told: list[tuple[str, int, int]] = []
    assert "full set" in fashion_mnist.SOURCE.fetch(lambda *state: told.append(state))
    for part in fashion_mnist.PARTS.values():
        size = (served / part.file).stat().st_size
        assert (part.file, size, size) in told
        assert (tmp_path / "cache" / "fashion-mnist" / part.file).read_bytes() == (
            served / part.file
        ).read_bytes()
    assert all(done <= total for _, done, total in told)
    monkeypatch.setattr(fashion_mnist, "MIRRORS", ())
    assert_full(fashion_mnist.load(), arrays)
    assert fashion_mnist.SOURCE.fetch() == "the full set, in the cache"
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.name.startswith((".", "tmp"))]


def test_when_no_mirror_works_each_is_named_and_nothing_is_left(
    served: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    next(served.glob("train-images*")).write_bytes(b"not it")
    mirrors = ("http://127.0.0.1:9/", f"{address}missing/", f"{address}good/")
    monkeypatch.setattr(fashion_mnist, "MIRRORS", mirrors)
    with pytest.raises(NablabError) as caught:
        fashion_mnist.SOURCE.fetch()
    message = str(caught.value)
    assert "could not download train-images-idx3-ubyte.gz" in message
    for reason in ("127.0.0.1:9: ConnectionError", "HTTP 404", "SHA-256 differs"):
        assert reason in message
    assert "\n" not in message
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_cache_that_is_a_file_is_named(
    served: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("in the way")
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (f"{address}good/",))
    with pytest.raises(NablabError, match="set NABLAB_CACHE"):
        fashion_mnist.SOURCE.fetch()


def test_the_system_folder_serves_and_a_decoded_copy_is_kept(
    served: Path, arrays: dict[str, NDArray[np.uint8]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", served)
    assert fashion_mnist.available() == "the full set, from the system's package"
    assert_full(fashion_mnist.load(), arrays)
    assert len(decoded(tmp_path)) == 4
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", tmp_path / "none")
    again = fashion_mnist.load()
    assert_full(again, arrays)
    assert isinstance(again.x_train.base, np.memmap) or isinstance(again.x_train.base.base, np.memmap)


@pytest.mark.parametrize("damage", ["shorter", "junk", "changed", "gone", "empty"])
def test_a_damaged_decoded_copy_is_made_anew(
    damage: str,
    served: Path,
    arrays: dict[str, NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", served)
    fashion_mnist.load()
    victim = next(path for path in decoded(tmp_path) if path.stem == "x_train")
    whole = victim.read_bytes()
    victim.unlink()
    if damage != "gone":
        broken = {
            "shorter": whole[:-100],
            "junk": b"junk" * 99,
            "changed": whole[:-1] + b"\x01",
            "empty": b"",
        }
        victim.write_bytes(broken[damage])
    assert_full(fashion_mnist.load(), arrays)
    assert victim.read_bytes() == whole


@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_a_damaged_download_is_passed_over(
    damage: bytes | None, served: Path, arrays: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = fashion_mnist._cache()
    cache.mkdir(parents=True)
    for part in fashion_mnist.PARTS.values():
        other = damage if damage is not None else (served / fashion_mnist.PARTS["y_test"].file).read_bytes()
        (cache / part.file).write_bytes(other)
    assert fashion_mnist.load_full() is None
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", served)
    assert_full(fashion_mnist.load_full(), arrays)


def test_a_cache_that_cannot_be_written_does_no_harm(
    served: Path, arrays: dict[str, NDArray[np.uint8]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("in the way")
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", served)
    assert_full(fashion_mnist.load(), arrays)


def test_first_loads_may_race(
    served: Path, arrays: dict[str, NDArray[np.uint8]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", served)
    with ThreadPoolExecutor(8) as pool:
        for dataset in pool.map(lambda _: fashion_mnist.load(), range(16)):
            assert_full(dataset, arrays)
    assert len(decoded(tmp_path)) == 4


def test_the_second_load_of_the_real_one_is_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path))
    if fashion_mnist.load_full() is None:
        pytest.skip("the full Fashion-MNIST is not installed here")
    seconds = []
    for _ in range(5):
        start = time.process_time()  # and not the wall's: another program may keep the machine busy
        fashion_mnist.load()
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.1
