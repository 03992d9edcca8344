"""Headers made by rule, of which hypothesis looks for the smallest that does harm."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import warnings
import zipfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import originals
from .cases import Case
from .pool import Worker

#: `make fuzz` asks for more.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

words = st.sampled_from([0, 1, 2, 7, 255, 256, 2**16, 2**31 - 1, 2**31, 2**32 - 1])
shapes = st.lists(st.one_of(words, st.integers(0, 2**32 - 1)), max_size=5)
numbers = st.one_of(st.integers(-2, 70), st.sampled_from([2**31, 2**62, 2**63, 10**30]))


def check(worker: Worker, case: Case) -> None:
    result = worker.run_files("header", case)
    assert not result.failed, result.outcome


@given(shape=shapes, kind=st.integers(0, 255), values=st.binary(max_size=200), packed=st.booleans())
@SETTINGS
def test_idx(worker: Worker, shape: list[int], kind: int, values: bytes, packed: bool) -> None:
    content = struct.pack(f">HBB{len(shape)}I", 0, kind if kind < 32 else 8, len(shape), *shape) + values
    check(worker, Case({"a.idx": gzip.compress(content) if packed else content}, "a.idx", "idx"))


literals = st.one_of(
    st.builds(repr, st.lists(numbers, max_size=4).map(tuple)),
    st.sampled_from(["(2,)*9**9", "()", "(True,)", "(1.0,)", "'x'", "None", "(" * 500, "[" * 100, "2**99"]),
    st.text(max_size=20),
)
types = st.one_of(
    st.sampled_from(["|u1", "<f4", ">f8", "|O", "<U9", "<U999999999", "|S0", "|V8", "<M8[D]", "<c8", "?"]),
    st.text(max_size=8),
)


@given(
    descr=types,
    order=st.sampled_from(["True", "False", "0", "None", "[]"]),
    shape=literals,
    version=st.sampled_from([(1, 0), (2, 0), (3, 0), (0, 0), (9, 9)]),
    length=st.one_of(st.none(), numbers),
    values=st.binary(max_size=100),
)
@SETTINGS
def test_npy(
    worker: Worker, descr: str, order: str, shape: str, version: tuple[int, int], length: Any, values: bytes
) -> None:
    text = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}, }}\n"
    header = text.encode("utf-8", "surrogatepass")
    width = 2 if version == (1, 0) else 4
    announced = (len(header) if length is None else length) % 256**width
    content = b"\x93NUMPY" + bytes(version) + announced.to_bytes(width, "little") + header + values
    check(worker, Case({"set/X.npy": content, "set/Y.npy": originals.labels()["numbers"]}, "set"))
    check(worker, Case({"a.npz": originals.zipped({"X.npy": content, "y.npy": content}, 0)}, "a.npz"))


names = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.lists(st.sampled_from(["..", ".", "a", "", "C:", "\\"]), max_size=6).map("/".join),
)
kinds = st.sampled_from([b"0", b"\0", b"1", b"2", b"3", b"5", b"6", b"7", b"L", b"K", b"x", b"g", b"S", b"Z"])


@given(members=st.lists(st.tuples(names, kinds, numbers, st.binary(max_size=600)), min_size=1, max_size=4))
@SETTINGS
@pytest.mark.parametrize("reader", ["members", "unpacked"])
def test_tar(worker: Worker, reader: str, members: list[tuple[str, bytes, int, bytes]]) -> None:
    blocks = []
    for name, kind, size, content in members:
        header = tarfile.TarInfo(name[:100])
        header.type = kind
        header.size = size if 70 < size < 2**64 else max(len(content) + min(size, 0), -1)
        header.linkname = "../outside"
        block = header.tobuf(tarfile.GNU_FORMAT, errors="replace")
        blocks.append(block + content + bytes(-len(content) % 512))
    check(worker, Case({"a.tar": b"".join(blocks) + bytes(1024)}, "a.tar", reader))


@given(members=st.lists(st.tuples(names, st.sampled_from([0, 8]), st.binary(max_size=99)), max_size=5))
@SETTINGS
@pytest.mark.parametrize("reader", ["members", "unpacked"])
def test_zip(worker: Worker, reader: str, members: list[tuple[str, int, bytes]]) -> None:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for name, method, content in members:
            info = zipfile.ZipInfo("x" * len(name))
            info.filename = name.replace("\0", "")[:200]
            info.compress_type = method
            archive.writestr(info, content)
    check(worker, Case({"a.zip": file.getvalue()}, "a.zip", reader))


fields = st.one_of(
    st.sampled_from(["1.png", "2.png", "cat", "dog", "train", "test", "../1.png", "/etc/passwd", ""]),
    st.text(max_size=20),
)


@given(
    header=st.lists(st.sampled_from(["path", "label", "split", "group", "Path ", "x", ""]), max_size=5),
    rows=st.lists(st.lists(fields, max_size=5), max_size=12),
    mark=st.sampled_from([",", ";", "\t", '"', "\0"]),
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-16", "latin-1"]),
)
@SETTINGS
def test_csv(worker: Worker, header: list[str], rows: list[list[str]], mark: str, encoding: str) -> None:
    usual = [[f"{number}.png", ("cat", "dog")[number % 2]] for number in range(10)]
    lines = [header or ["path", "label"], *(usual if header in ([], ["path", "label"]) else []), *rows]
    content = "\n".join(map(mark.join, lines)).encode(encoding, "replace")
    pictures = {f"{number}.png": originals.picture("png", 0) for number in range(10)}
    check(worker, Case(pictures | {"list.csv": content}, "list.csv"))
