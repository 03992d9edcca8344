"""Picture files: what their headers tell, those that cannot be read, and which file a row is from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nablab.data.checks import Examination, check
from nablab.data.checks.finding import Finding
from nablab.data.checks.rules import FILE_RULES
from nablab.data.checks.survey import Survey
from nablab.data.sources import decoding
from nablab.data.sources.listing import Listing
from nablab.data.sources.picture import Header
from nablab.errors import UserError

RNG = np.random.default_rng(0)


def picture(width: int = 20, height: int = 20, *, grey: bool = False) -> Image.Image:
    values = RNG.integers(0, 255, (height, width) if grey else (height, width, 3)).astype(np.uint8)
    return Image.fromarray(values)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 30 coloured squares."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(30):
            picture().save(tmp_path / name / f"{number:02}.png")
    return tmp_path


def of(found: Examination, rule: str) -> list[Finding]:
    return [finding for finding in found.findings if finding.rule == rule]


def small(found: Examination) -> list[str]:
    """The rules that found something, but for those about few pictures."""
    return [finding.rule for finding in found.findings if finding.rule != "small-classes"]


def test_a_healthy_folder(folder: Path) -> None:
    found = check(folder)
    assert small(found) == []
    assert found.asked[:4] == ("unreadable", "sizes", "orientations", "colours")
    assert "near-leak" in found.asked


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:700])


def no_picture(path: Path) -> None:
    path.write_text("<html>404</html>", encoding="utf-8")


@pytest.mark.parametrize("harm", [cut, no_picture])
def test_files_that_cannot_be_read_are_named_and_the_others_examined(
    folder: Path, harm: Callable[[Path], None]
) -> None:
    broken = [folder / "cat" / "03.png", folder / "dog" / "17.png"]
    for path in broken:
        harm(path)
    found = check(folder)
    (finding,) = of(found, "unreadable")
    assert finding.severity == "serious"
    assert finding.files == tuple(map(str, broken))
    assert "2 of 60 picture files (3.33 %) are not readable" in finding.claim
    assert found.dataset is not None
    assert len(found.dataset.x_train) + len(found.dataset.x_test) == 58
    assert set(found.train_files + found.test_files).isdisjoint(broken)


def test_where_no_file_can_be_read_there_is_that_finding_only(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        no_picture(path)
    found = check(folder)
    assert [finding.rule for finding in found.findings] == ["unreadable"]
    assert found.dataset is None


def test_rows_lead_to_their_files(folder: Path) -> None:
    """A copy under another label, where the test set is cut off: rows are not in the order of files."""
    original, copy = folder / "cat" / "11.png", folder / "dog" / "04.png"
    copy.write_bytes(original.read_bytes())
    found = check(folder)
    (finding,) = of(found, "contradictions")
    assert {found.file_of(row) for row in finding.rows} == {original, copy}
    assert found.dataset is not None
    for part, files in (("train", found.train_files), ("test", found.test_files)):
        x = getattr(found.dataset, f"x_{part}")
        assert len(files) == len(x)
        for row in (0, len(files) - 1):
            with Image.open(files[row]) as stored:
                np.testing.assert_array_equal(np.moveaxis(x[row], 0, -1), np.asarray(stored))


def test_a_list_of_pictures(folder: Path) -> None:
    lines = [f"{path.relative_to(folder)},{path.parent.name}" for path in sorted(folder.rglob("*.png"))]
    (folder / "list.csv").write_text("\n".join(["path,label", *lines]), encoding="utf-8")
    (folder / "dog" / "04.png").write_bytes((folder / "cat" / "11.png").read_bytes())
    found = check(folder / "list.csv")
    assert len(of(found, "contradictions")) == 1
    assert len(found.train_files) == 48


def test_sizes_and_orientations(folder: Path) -> None:
    for number in range(10):
        picture(40, 20).save(folder / "cat" / f"{number:02}.png")
    picture(20, 60).save(folder / "dog" / "00.png")
    found = check(folder)
    (sizes,) = of(found, "sizes")
    assert sizes.severity == "warning"
    assert "60 pictures come in 3 sizes, from 20x20 to" in sizes.claim
    assert "0.33 to 2.00 times as wide" in sizes.claim
    (orientations,) = of(found, "orientations")
    assert orientations.severity == "note"
    assert "--augmentation rotate:10" in orientations.remedy
    assert "1 picture is higher than wide, 10 are wider than high" in orientations.claim
    assert orientations.files == (str(folder / "dog" / "00.png"),)
    assert found.dataset is not None
    assert found.dataset.input_shape == (3, 64, 64)
    assert check(folder, size=16).dataset.input_shape == (3, 16, 16)  # type: ignore[union-attr]


def test_large_pictures_of_one_size_are_compared_as_small_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As photographs of one camera are: they were decoded in full, and then refused."""
    monkeypatch.setattr(decoding, "_MOST_BYTES", 60 * 3 * 64 * 64)
    assert check(folder).dataset.input_shape == (3, 20, 20)  # type: ignore[union-attr]
    for path in folder.rglob("*.png"):
        picture(65, 64).save(path)
    assert check(folder).dataset.input_shape == (3, 64, 64)  # type: ignore[union-attr]


def test_sizes_of_one_shape_are_a_note(folder: Path) -> None:
    picture(40, 40).save(folder / "cat" / "00.png")
    found = check(folder)
    assert [finding.severity for finding in of(found, "sizes")] == ["note"]
    assert of(found, "orientations") == []


def test_pictures_turned_by_exif(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(20, 20).save(folder / "cat" / "00.jpg", exif=exif)
    (finding,) = of(check(folder), "orientations")
    assert "1 of 61 pictures (1.64 %) is stored turned" in finding.claim
    assert finding.files == (str(folder / "cat" / "00.jpg"),)


@pytest.mark.parametrize(("cats", "dogs", "severity"), [(3, 3, "note"), (20, 0, "warning"), (0, 0, None)])
def test_grey_among_colour(folder: Path, cats: int, dogs: int, severity: str | None) -> None:
    for name, count in (("cat", cats), ("dog", dogs)):
        for number in range(count):
            picture(grey=True).save(folder / name / f"{number:02}.png")
    found = of(check(folder), "colours")
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    if severity == "warning":
        assert "cat: 67 % grey, dog: 0 %" in found[0].claim
        assert len(found[0].files) == 20


def test_colour_that_hardly_tells_the_class_is_a_note() -> None:
    """15 % of the cats are grey and 5 % of the dogs: surely not by chance, and of little use to a network."""
    grey = np.concatenate([np.arange(1000) < 150, np.arange(1000) < 50])
    files = tuple(Path(f"{number}.png") for number in range(2000))
    labels = np.repeat(np.arange(2), 1000)
    headers = tuple(Header(file, 9, 9, bool(is_grey)) for file, is_grey in zip(files, grey, strict=True))
    survey = Survey(Listing("x", Path("x"), "folder", files, labels, ("cat", "dog")), headers)
    (finding,) = FILE_RULES["colours"].find(survey)
    assert finding.severity == "note"
    assert "200 of 2,000 pictures (10.00 %) are grey" in finding.claim


def test_train_and_test_folders_and_misuse(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    parted = tmp_path_factory.mktemp("parted")
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (parted / part / name).mkdir(parents=True)
            for number in range(4):
                picture().save(parted / part / name / f"{number}.png")
    (parted / "test" / "dog" / "1.png").write_bytes((parted / "train" / "dog" / "2.png").read_bytes())
    found = check(parted)
    (leak,) = of(found, "exact-leak")
    assert [found.file_of(row) for row in leak.rows] == [
        parted / "train" / "dog" / "2.png",
        parted / "test" / "dog" / "1.png",
    ]
    with pytest.raises(UserError, match="size must be"):
        check(folder, size=0)
    with pytest.raises(UserError, match="takes no size"):
        check("digits", size=8)
    with pytest.raises(UserError, match="no data set or folder"):
        check("digitss")
