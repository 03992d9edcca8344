"""The decoded cache: what is read is what was written, or nothing; whoever else writes, dies or meddles."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nablab.data.decoded import (
    Expected,
    has_decoded,
    read_decoded,
    read_or_decode,
    write_decoded,
)
from nablab.errors import CannotWrite

ARRAYS = {
    "x": np.random.default_rng(0).integers(0, 256, (50, 3, 4), dtype=np.uint8),
    "y": np.arange(50, dtype=np.uint8),
}
PARTS = {"x": Expected((50, 3, 4)), "y": Expected((50,))}

#: What the processes of the tests below begin with.
PREAMBLE = """
import sys
from pathlib import Path
import numpy as np
from nablab.data.decoded import *
folder = Path(sys.argv[1])
made = {
    "x": np.random.default_rng(0).integers(0, 256, (50, 3, 4), dtype=np.uint8),
    "y": np.arange(50, dtype=np.uint8),
}
parts = {"x": Expected((50, 3, 4)), "y": Expected((50,))}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_decoded(tmp_path / "decoded", ARRAYS)
    return tmp_path / "decoded"


def assert_whole(folder: Path) -> None:
    arrays = read_decoded(folder, PARTS)
    assert arrays is not None
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_what_is_read_is_mapped_and_cannot_be_written_to(folder: Path) -> None:
    assert has_decoded(folder, PARTS)
    assert_whole(folder)
    arrays = read_decoded(folder, PARTS)
    assert arrays is not None
    for array in arrays.values():
        assert isinstance(array.base, np.memmap)
        assert not array.flags.writeable


def test_a_part_alone_can_be_read(folder: Path) -> None:
    assert list(read_decoded(folder, {"y": PARTS["y"]}) or {}) == ["y"]


@pytest.mark.parametrize("shape", [(50, 3), (50, 3, 5), (None, None), (50, 3, 4, 1)])
def test_another_shape_than_expected_is_nothing(folder: Path, shape: tuple[int | None, ...]) -> None:
    assert read_decoded(folder, {"x": Expected(shape)}) is None


def test_an_axis_may_be_of_any_length(folder: Path) -> None:
    assert read_decoded(folder, {"x": Expected((None, 3, 4))}) is not None


def test_other_types_than_bytes_are_nothing(tmp_path: Path) -> None:
    write_decoded(tmp_path, {"y": np.arange(50)})  # type: ignore[dict-item]
    assert read_decoded(tmp_path, {"y": PARTS["y"]}) is None


@pytest.mark.parametrize("victim", ["x.npy", "y.npy", "decoded.json"])
@pytest.mark.parametrize("damage", ["shorter", "longer", "junk", "flipped", "gone", "empty"])
def test_a_damaged_copy_is_nothing_and_is_made_anew(folder: Path, victim: str, damage: str) -> None:
    path = folder / victim
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.unlink()
    if damage != "gone":
        broken = {
            "shorter": whole[:-1],
            "longer": whole + b"\0",
            "junk": b"junk" * 99,
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "empty": b"",
        }
        path.write_bytes(broken[damage])
    assert read_decoded(folder, PARTS) is None
    arrays = read_or_decode(folder, PARTS, lambda: ARRAYS)
    assert arrays is not None
    np.testing.assert_array_equal(arrays["x"], ARRAYS["x"])
    assert_whole(folder)
    assert path.read_bytes() == whole


@settings(max_examples=30, deadline=None)
@given(position=st.integers(0, 2**16), mask=st.integers(1, 255), victim=st.sampled_from(sorted(ARRAYS)))
def test_no_byte_can_be_flipped_unseen(
    tmp_path_factory: pytest.TempPathFactory, position: int, mask: int, victim: str
) -> None:
    folder = tmp_path_factory.mktemp("decoded")
    write_decoded(folder, ARRAYS)
    path = folder / f"{victim}.npy"
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= mask
    path.write_bytes(content)
    assert read_decoded(folder, PARTS) is None


@pytest.mark.parametrize(
    "note",
    [
        b"[]",
        b"{}",
        b"null",
        b'{"x": 1}',
        b'{"x": {"bytes": "many"}}',
        b'{"x": {"bytes": 1, "sha256": null}, "y": {}}',
        b"\xff\xfe",
        b"[" * 10_000,
    ],
)
def test_a_note_that_is_none_is_nothing(folder: Path, note: bytes) -> None:
    (folder / "decoded.json").write_bytes(note)
    assert read_decoded(folder, PARTS) is None
    assert not has_decoded(folder, PARTS)


def test_a_file_without_a_header_is_nothing_even_if_noted(folder: Path) -> None:
    import hashlib

    (folder / "y.npy").write_bytes(b"not an array")
    notes = json.loads((folder / "decoded.json").read_text())
    notes["y"] = {"bytes": 12, "sha256": hashlib.sha256(b"not an array").hexdigest()}
    (folder / "decoded.json").write_text(json.dumps(notes))
    assert has_decoded(folder, PARTS)
    assert read_decoded(folder, PARTS) is None


def test_decoding_happens_once(tmp_path: Path) -> None:
    calls = []

    def decode() -> dict[str, np.ndarray]:
        calls.append(1)
        return ARRAYS

    first = read_or_decode(tmp_path, PARTS, decode)
    second = read_or_decode(tmp_path, PARTS, decode)
    assert first is not None
    assert second is not None
    assert isinstance(first["x"].base, np.memmap)  # and what was decoded is let go
    assert len(calls) == 1


def test_nothing_decoded_is_nothing(tmp_path: Path) -> None:
    assert read_or_decode(tmp_path / "decoded", PARTS, lambda: None) is None
    assert not (tmp_path / "decoded").exists()


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    arrays = read_or_decode(tmp_path / "file" / "decoded", PARTS, lambda: ARRAYS)
    assert arrays is ARRAYS
    with pytest.raises(CannotWrite):
        write_decoded(tmp_path / "file" / "decoded", ARRAYS)


@pytest.mark.parametrize("before", ["nothing", "damaged"])
@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_a_process_killed_while_it_writes_leaves_nothing_to_be_read(
    tmp_path: Path, dies_at: int, before: str
) -> None:
    folder = tmp_path / "decoded"
    if before == "damaged":
        write_decoded(folder, ARRAYS)
        (folder / "x.npy").write_bytes(b"")
    script = f"""{PREAMBLE}
import os, signal
from nablab import atomic
write_with, count = atomic.write_with, 0
def dying(path, writer):
    global count
    count += 1
    def cut_short(temporary):
        writer(temporary)
        os.truncate(temporary, temporary.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    write_with(path, cut_short if count == {dies_at} else writer)
atomic.write_with = dying
write_decoded(folder, made)
"""
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    if before == "nothing":
        assert read_decoded(folder, PARTS) is None
    assert read_or_decode(folder, PARTS, lambda: ARRAYS) is not None
    assert_whole(folder)


def test_processes_may_race(tmp_path: Path) -> None:
    """Four read and make the copy while they take files of it away and put others in their place."""
    script = f"""{PREAMBLE}
import os, random, time
start, me = float(sys.argv[2]), sys.argv[3]
time.sleep(max(0, start - time.time()))
draw, anew = random.Random(me), 0
def decode():
    global anew
    anew += 1
    return made
for _ in range(60):
    arrays = read_or_decode(folder, parts, decode)
    assert all(np.array_equal(arrays[name], made[name]) for name in made), "wrong values"
    victim = folder / draw.choice(["x.npy", "y.npy", "decoded.json"])
    way = draw.randrange(4)
    if way == 0:
        victim.unlink(missing_ok=True)
    elif way == 1:
        junk = folder / f"junk-{{me}}"
        junk.write_bytes(b"junk")
        os.replace(junk, victim)
print(anew)
"""
    import time

    folder, start = tmp_path / "decoded", time.time() + 1.0
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(folder), str(start), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    said = [racer.communicate(timeout=60) for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * 4, said
    assert sum(int(out) for out, _ in said) > 4  # it was made anew again and again
    assert read_or_decode(folder, PARTS, lambda: ARRAYS) is not None
    assert_whole(folder)
    assert {path.name for path in folder.iterdir()} == {"x.npy", "y.npy", "decoded.json"}
