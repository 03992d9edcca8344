"""Lists of pictures: any order of columns, one line for what is wrong, and the same data as folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nablab.data import load
from nablab.data.prepare import prepare
from nablab.data.sources import csv_list
from nablab.data.sources.csv_list import list_csv
from nablab.data.split import split
from nablab.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Class folders `cat` and `dog` of ten pictures, each of a grey value of its own."""
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.new("L", (6, 4), 100 * label + i).save(tmp_path / name / f"{i}.png")
    return tmp_path


def pictures() -> list[tuple[str, str]]:
    return [(f"{name}/{i}.png", name) for name in ("cat", "dog") for i in range(10)]


def write(folder: Path, rows: Sequence[Sequence[str]], header: str = "path,label", **how: str) -> Path:
    delimiter = how.get("delimiter", ",")
    lines = [header.replace(",", delimiter), *(delimiter.join(row) for row in rows)]
    path = folder / "labels.csv"
    path.write_text(how.get("newline", "\n").join([*lines, ""]), encoding=how.get("encoding", "utf-8"))
    return path


def test_backslashes_of_windows_lead_to_the_files(folder: Path) -> None:
    expected = load(write(folder, pictures())).fingerprint
    from_windows = [(name.replace("/", "\\"), label) for name, label in pictures()]
    assert load(write(folder, from_windows)).fingerprint == expected


@pytest.mark.parametrize("word", ["val", "valid", "Validation"])
def test_what_validates_elsewhere_trains(folder: Path, word: str) -> None:
    parts = ["test", "train", word]
    rows = [(*row, parts[i % 3]) for i, row in enumerate(pictures())]
    assert len(load(write(folder, rows, "path,label,split")).x_test) == 7


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"delimiter": ";"},
        {"delimiter": "\t"},
        {"newline": "\r\n"},
        {"newline": "\n\n"},
        {"encoding": "utf-8-sig"},
    ],
    ids=repr,
)
def test_a_list_is_what_the_folders_are(folder: Path, how: dict[str, str]) -> None:
    mine, theirs = load(write(folder, pictures(), **how)), load(folder)
    assert mine.fingerprint == theirs.fingerprint
    assert (mine.name, mine.source) == ("labels", "20 pictures in file labels.csv")


def test_columns_in_any_order_and_case(folder: Path) -> None:
    rows = [(f" {label} ", f'"{path}"') for path, label in pictures()]
    assert load(write(folder, rows, "Label, PATH")).fingerprint == load(folder).fingerprint


def test_sizes_and_colors_as_for_folders(folder: Path) -> None:
    path = write(folder, pictures())
    assert load(path, size=3, color="rgb").fingerprint == load(folder, size=3, color="rgb").fingerprint
    with pytest.raises(UserError, match="size must be"):
        load(path, size=0)
    Image.new("L", (9, 9)).save(folder / "cat" / "0.png")
    with pytest.raises(UserError, match=r"labels\.csv: pictures differ in size .*--size 64"):
        load(path)


def test_labels_that_are_numbers_are_in_their_order(folder: Path) -> None:
    rows = [(path, str(i % 12)) for i, (path, _) in enumerate(pictures() * 3)]
    for i, row in enumerate(rows):
        (folder / row[0].replace("/", f"{i}_")).write_bytes((folder / row[0]).read_bytes())
    listing = list_csv(write(folder, [(p.replace("/", f"{i}_"), y) for i, (p, y) in enumerate(rows)]))
    assert listing.classes == tuple(str(number) for number in range(12))
    assert listing.labels.tolist() == [i % 12 for i in range(60)]


def test_the_split_that_is_given_is_taken(folder: Path) -> None:
    parts = ["train", "Test", "valid", "VALIDATION", "train"] * 4
    rows = [(*row, part) for row, part in zip(pictures(), parts, strict=True)]
    dataset = load(write(folder, rows, "path,label,split"))
    tested = [100 * (row >= 10) + row % 10 for row, part in enumerate(parts) if part == "Test"]
    assert dataset.x_test[:, 0, 0, 0].tolist() == tested
    assert len(dataset.x_train) == 16
    only_test = [(*row, "test" if row[1] == "dog" else "train") for row in pictures()]
    with pytest.raises(UserError, match="class 'dog' has no picture to train on"):
        load(write(folder, only_test, "path,label,split"))


def test_a_split_without_test_rows(folder: Path) -> None:
    rows = [(*row, "valid" if i % 5 == 0 else "train") for i, row in enumerate(pictures())]
    with pytest.raises(UserError, match=r"labels\.csv: its column split has no row for test"):
        load(write(folder, rows, "path,label,split"))


def test_groups_stay_on_one_side(folder: Path) -> None:
    rows = [(*row, f"person {i % 10 // 2}" if i != 3 else "") for i, row in enumerate(pictures())]
    dataset = load(write(folder, rows, "path,label,group"))
    assert dataset.groups is not None
    parts = split(dataset, validation=0.2)
    values = (dataset.x_train[parts.train], dataset.x_train[parts.validation], dataset.x_test)
    people = [{v % 100 // 2 for v in x[:, 0, 0, 0].tolist() if v != 3} for x in values]
    assert sum(map(len, people)) == len(set.union(*people)) == 5
    with pytest.raises(UserError, match="has a column group; leave --group out"):
        load(folder / "labels.csv", group="0")
    by_name = load(write(folder, pictures()), group=r"(\d)\.png")
    assert by_name.groups is not None
    torn = [(*row, "a", "test" if i % 2 else "train") for i, row in enumerate(pictures())]
    with pytest.raises(UserError, match="1 groups are in both train and test"):
        load(write(folder, torn, "path,label,group,split"))


def test_a_list_can_be_prepared(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = [(*row, str(i % 5)) for i, row in enumerate(pictures())]
    path, out = write(folder, rows, "path,label,group"), tmp_path_factory.mktemp("out")
    (folder / "dog" / "3.png").write_bytes(b"")
    done = prepare(path, out, size=3)
    assert [file for file, _ in done.left_out] == ["dog/3.png"]
    without = load(write(folder, [row for row in rows if row[0] != "dog/3.png"], "path,label,group"), size=3)
    assert load(out).fingerprint == without.fingerprint
    assert load(out).groups is not None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"line 1: no column path and no column label; expected path,label and optionally split,group"),
        ("path,label\n", "lists no picture below its header"),
        ("path,label\n\n \n", "lists no picture below its header"),
        (",path,label\n0,cat/0.png,cat\n", r"line 1: a column without a name; .*index=False"),
        ("file,label\ncat/0.png,cat\n", "line 1: unknown column 'file'; expected path,label"),
        ("path,label,path\n", "line 1: column 'path' is there twice"),
        ("path\ncat/0.png\n", "line 1: no column label"),
        ("path,label\ncat/0.png\n", "line 2: 1 fields under 2 columns"),
        ("path,label\ncat/0.png,cat,grey\n", "line 2: 3 fields under 2 columns"),
        ("path,label\ncat/0.png,cat\n,dog\n", "line 3: empty path"),
        ("path,label\ncat/0.png,cat\n\ndog/0.png, \n", "line 4: empty label"),
        (
            "path,label\ncat/0.png,cat\ndog/77.png,dog\n",
            "line 3: no file 'dog/77.png' in the folder of labels",
        ),
        ("path,label\ncat,cat\n", "line 2: no file 'cat' in the folder of labels"),
        ("path,label\ncat/\0.png,cat\n", "line "),
        (f"path,label\n{'x' * 5000},cat\n", r"line 2: no file 'x{80}\.\.\.' in"),
        (f"path,label\n{'x' * 200_000},cat\n", "line 2: not CSV .*field larger"),
        ("path,label,split\ncat/0.png,cat,dev\n", "line 2: split 'dev' is not train, validation or test"),
        ("path,label,split\ncat/0.png,cat,\n", "line 2: split '' is not"),
        (
            "path,label\ncat/0.png,cat\ndog/0.png,dog\ncat/../cat/0.png,dog\n",
            "line 4: '0.png' is listed before, in line 2",
        ),
        ('path,label\ncat/0.png,"ca"t\n', "line 2: not CSV"),
        ('path,label\ncat/0.png,"cat\n', "line 2: not CSV"),
        ("path,label\ncat/0.png,cat\ncat/1.png,cat\n", "all pictures have the label 'cat'; a"),
        ("path,label\ncat/0.png,cat\ndog/0.png,dog\n", "too few"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_where(folder: Path, text: str, complaint: str) -> None:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=complaint) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 300


def test_files_that_are_no_list(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "labels.csv"
    path.write_bytes("path,label\ncafé/0.png,cat\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"labels\.csv: is not text in UTF-8"):
        load(path)
    monkeypatch.setattr(csv_list, "_MOST_BYTES", 10)
    with pytest.raises(UserError, match="a list of pictures is expected"):
        load(path)
    with pytest.raises(UserError, match=r"no such file or folder: .*gone\.csv"):
        load(folder / "gone.csv")


def test_a_picture_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "dog" / "3.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"dog/3\.png: cannot be read \(not a picture\)"):
        load(write(folder, pictures()))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: b"path,label\n" + text.encode())
)
def test_any_bytes_are_a_list_or_one_line(folder: Path, content: bytes) -> None:
    path = folder / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        list_csv(path)
    assert "\n" not in str(caught.value)


def test_numbers_of_lines_are_those_of_an_editor(folder: Path) -> None:
    path = folder / "labels.csv"
    path.write_text('path,label\ncat/0.png,"a\nlong\nname"\ngone.png,cat\n')
    with pytest.raises(UserError, match=r"line 5: no file 'gone\.png'"):
        load(path)
    path.write_text(path.read_text().replace("gone", "dog/1"))
    listing = list_csv(path)
    assert listing.classes == ("a long name", "cat")
    np.testing.assert_array_equal(listing.labels, [0, 1])
