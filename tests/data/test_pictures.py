"""Folders of pictures: every format, upright, grouped, and refused by name where something is wrong."""

import os
import subprocess
import sys
import threading
import time
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from nablab import machine
from nablab.data import load
from nablab.data.sources import decoding, picture
from nablab.data.sources.picture import read_header, read_picture
from nablab.data.split import split
from nablab.errors import UserError

COLORS = {"blue": (20, 40, 200), "red": (200, 30, 10), "green": (10, 180, 20)}


def gradient(height: int, width: int, channels: int = 1) -> NDArray[np.uint8]:
    """A picture that is different in every corner."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(y * 7 + x * 3 + 60 * c) % 256 for c in range(channels)]
    stacked = np.stack(planes, axis=-1).astype(np.uint8)
    return stacked[..., 0] if channels == 1 else stacked


def fill(folder: Path, count: int = 10, size: tuple[int, int] = (6, 6), suffix: str = "png") -> Path:
    """Class folders `red` and `blue` of pictures of that colour."""
    for name in ("red", "blue"):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", size, COLORS[name]).save(folder / name / f"{name}{i}.{suffix}")
    return folder


def test_classes_are_the_folders_and_a_stratified_fifth_tests(tmp_path: Path) -> None:
    dataset = load(fill(tmp_path / "photos"))
    assert dataset.name == "photos"
    assert dataset.classes == ("blue", "red")
    assert dataset.x_train.shape == (16, 3, 6, 6)
    assert np.bincount(dataset.y_test).tolist() == [2, 2]
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        for pixels, label in zip(x, y, strict=True):
            assert tuple(pixels[:, 0, 0]) == COLORS[dataset.classes[label]]
    assert load(tmp_path / "photos").fingerprint == dataset.fingerprint
    assert str(tmp_path) not in dataset.source


def test_train_and_test_folders_are_kept_apart(tmp_path: Path) -> None:
    fill(tmp_path / "Train", 5)
    fill(tmp_path / "test", 3)
    dataset = load(str(tmp_path))
    assert np.bincount(dataset.y_train).tolist() == [5, 5]
    assert np.bincount(dataset.y_test).tolist() == [3, 3]


@pytest.mark.parametrize("validation", ["val", "valid", "Validation"])
def test_what_validates_elsewhere_trains(tmp_path: Path, validation: str) -> None:
    """As in lists: left out unseen, or taken for a class, it would be worse."""
    for part, count in (("training", 5), (validation, 2), ("testing", 3)):
        fill(tmp_path / part, count)
    dataset = load(tmp_path)
    assert dataset.classes == ("blue", "red")
    assert np.bincount(dataset.y_train).tolist() == [7, 7]
    assert np.bincount(dataset.y_test).tolist() == [3, 3]
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        assert [tuple(pixels[:, 0, 0]) for pixels in x] == [COLORS[dataset.classes[label]] for label in y]


def test_parts_are_no_classes(tmp_path: Path) -> None:
    fill(tmp_path / "train", 5)
    fill(tmp_path / "val", 5)
    with pytest.raises(UserError, match=r"has train and val, and no test; .*call it test"):
        load(tmp_path)
    (tmp_path / "val").rename(tmp_path / "test")
    assert len(load(tmp_path).x_test) == 10
    for path in (tmp_path / "test").rglob("*.png"):
        path.rename(tmp_path / "test" / path.name)
    with pytest.raises(UserError, match=r"test: holds no picture in a folder of its class, such as 'blue'"):
        load(tmp_path)


@pytest.mark.parametrize(
    "names", [("training_set", "test_set"), ("train", "evaluation"), ("test", "dev", "Train_x")]
)
def test_parts_under_other_names_are_no_classes_either(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        fill(tmp_path / name, 5)
    with pytest.raises(UserError, match=r"look like parts of the data, .* call what trains train"):
        load(tmp_path)


def test_classes_may_be_called_like_parts(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    (folder / "red").rename(folder / "train")
    (folder / "blue").rename(folder / "valve")
    assert load(folder).classes == ("train", "valve")


def test_folders_that_are_numbers_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for number in range(11):
        (tmp_path / str(number)).mkdir()
        for i in range(5):
            Image.new("L", (4, 4), number).save(tmp_path / str(number) / f"{i}.png")
    dataset = load(tmp_path)
    assert dataset.classes == tuple(str(number) for number in range(11))
    np.testing.assert_array_equal(dataset.x_train[:, 0, 0, 0], dataset.y_train)


@pytest.mark.parametrize(
    "suffix",
    ["png", "bmp", "gif", "tif", "ppm", "tga", "webp", "PNG", "jpg", "jp2", "pcx", "ico", "qoi", "sgi"],
)
def test_formats(tmp_path: Path, suffix: str) -> None:
    image = Image.new("RGB", (16, 16), COLORS["red"])
    path = tmp_path / f"a.{suffix}"
    image.save(path)
    assert picture.is_picture_name(path)
    pixels = read_picture(path, None, "rgb").astype(int)
    assert np.abs(pixels.mean(axis=(1, 2)) - COLORS["red"]).max() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = gradient(4, 6)
    # How the stored picture lies, by the definition of the tag (TIFF 6.0): what its row 0 and column 0 are.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    np.testing.assert_array_equal(read_picture(path, None, "grey")[0], upright)
    header = picture.read_header(path)
    assert (header.height, header.width) == upright.shape


@pytest.mark.parametrize("behind", [False, True])
def test_headers_of_pngs_are_read_without_their_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: bool
) -> None:
    """Unless something that may be EXIF follows these."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path, plain = tmp_path / "a.png", tmp_path / "plain.png"
    Image.fromarray(gradient(400, 300)).save(path, exif=exif)
    Image.fromarray(gradient(400, 300)).save(plain)
    if behind:
        content = path.read_bytes()
        start = content.index(b"eXIf") - 4
        stop = start + 12 + int.from_bytes(content[start : start + 4], "big")
        end = content.index(b"IEND") - 4
        path.write_bytes(content[:start] + content[stop:end] + content[start:stop] + content[end:])
    loaded = []
    load_pixels = PngImageFile.load

    def load_seen(self: PngImageFile) -> object:
        loaded.append(self)
        return load_pixels(self)

    monkeypatch.setattr(PngImageFile, "load", load_seen)
    assert picture.read_header(plain).width == 300
    header = picture.read_header(path)
    assert (header.width, header.height, header.turned) == (400, 300, True)
    assert bool(loaded) == behind
    assert read_picture(path, None, "grey").shape == (1, 300, 400)


def test_grey_is_luma_and_chosen_where_all_are_grey(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    r, g, b = COLORS["red"]
    red = load(folder, color="grey")
    assert red.input_shape == (1, 6, 6)
    assert red.x_train[red.y_train == 1].mean() == pytest.approx(0.299 * r + 0.587 * g + 0.114 * b, abs=1)
    for path in folder.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    assert load(folder).input_shape == (1, 6, 6)
    assert load(folder, color="rgb").input_shape == (3, 6, 6)


def test_size_is_pillows_cubic_resize(tmp_path: Path) -> None:
    source = gradient(20, 30, 3)
    path = tmp_path / "a.png"
    Image.fromarray(source).save(path)
    expected = np.asarray(Image.fromarray(source).resize((8, 8), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(read_picture(path, 8, "rgb"), expected.transpose(2, 0, 1))


def test_a_large_jpeg_is_decoded_at_less_than_full_size_and_looks_alike(tmp_path: Path) -> None:
    smooth = np.asarray(Image.fromarray(gradient(16, 16, 3)).resize((640, 480), Image.Resampling.BICUBIC))
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth).save(path, quality=95)
    expected = np.asarray(Image.open(path).resize((32, 32), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    assert np.abs(read_picture(path, 32, "rgb").astype(int) - expected).mean() < 2


def test_depths_palettes_and_transparency(tmp_path: Path) -> None:
    grey = gradient(5, 5)
    sixteen = tmp_path / "16.png"
    Image.fromarray(grey.astype(np.uint16) * 257).save(sixteen)
    np.testing.assert_array_equal(read_picture(sixteen, None, "grey")[0], grey)
    assert picture.read_header(sixteen).is_grey
    for most, factor in ((65535, 257), (4095, 16)):
        portable = tmp_path / f"{most}.pgm"
        portable.write_bytes(b"P5 5 5 %d\n" % most + (grey.astype(">u2") * factor).astype(">u2").tobytes())
        np.testing.assert_allclose(read_picture(portable, None, "grey")[0], grey, atol=1)
        assert picture.read_header(portable).is_grey
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (3, 3), (255, 0, 0, 0)).save(clear)
    assert (read_picture(clear, None, "rgb") == 255).all()
    palette = tmp_path / "palette.png"
    Image.fromarray(gradient(5, 5, 3)).quantize(25).save(palette)
    np.testing.assert_allclose(
        read_picture(palette, None, "rgb"), gradient(5, 5, 3).transpose(2, 0, 1), atol=40
    )
    ink = tmp_path / "ink.tif"
    Image.new("CMYK", (3, 3), (0, 255, 255, 0)).save(ink)
    assert tuple(read_picture(ink, None, "rgb")[:, 0, 0]) == (255, 0, 0)
    deep = tmp_path / "deep.tif"
    Image.fromarray(grey.astype(np.float32)).save(deep)
    with pytest.raises(UserError, match=r"deep.tif: has 32 bits a pixel"):
        read_picture(deep, None, "grey")


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_of_a_picture_that_moves_the_first_frame_is_taken(tmp_path: Path, suffix: str) -> None:
    first, second = (Image.new("RGB", (8, 8), COLORS[name]) for name in ("red", "blue"))
    path = tmp_path / f"a.{suffix}"
    first.save(path, save_all=True, append_images=[second])
    with Image.open(path) as moving:
        assert moving.n_frames == 2  # type: ignore[attr-defined]
    pixels = read_picture(path, None, "rgb").astype(int)
    assert np.abs(pixels.mean(axis=(1, 2)) - COLORS["red"]).max() < 6


def test_transparent_palettes_and_greys_are_on_white(tmp_path: Path) -> None:
    palette = Image.new("P", (4, 600))
    palette.putpalette([*COLORS["red"], *COLORS["blue"]])
    palette.paste(1, (0, 300, 4, 600))
    path = tmp_path / "palette.png"
    palette.save(path, transparency=bytes([0, 255]))
    pixels = read_picture(path, None, "rgb")
    assert (pixels[:, :300] == 255).all()
    assert (pixels[:, 300:].transpose(1, 2, 0) == COLORS["blue"]).all()
    half = np.zeros((3, 600, 4, 4), np.uint8)
    half[..., 3] = np.arange(600)[:, None] % 256
    for i, mode in enumerate(("RGBA", "LA")):
        path = tmp_path / f"{i}.png"
        Image.fromarray(half[i]).convert(mode).save(path)
        np.testing.assert_array_equal(read_picture(path, None, "grey")[0], 255 - half[i, ..., 3])
    one = tmp_path / "one.png"
    Image.fromarray(gradient(5, 5)).save(one, transparency=0)
    expected = gradient(5, 5)
    expected[expected == 0] = 255
    np.testing.assert_array_equal(read_picture(one, None, "grey")[0], expected)


def test_hidden_files_and_files_that_are_no_pictures_are_left_out(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    expected = load(folder).fingerprint
    (folder / ".thumbnails").mkdir()
    (folder / "notes.txt").write_text("beside the classes")
    (folder / "red" / "._red0.png").write_bytes(b"left by another system")
    (folder / "red" / "Thumbs.db").write_bytes(b"left by another system")
    (folder / "red" / "readme").write_text("no suffix")
    (folder / "red" / "paper.pdf").write_text("Pillow writes it and cannot read it")
    for made_by_a_system in (folder / "__MACOSX" / "red", folder / "red" / "@eaDir"):
        made_by_a_system.mkdir(parents=True)
        Image.new("RGB", (6, 6)).save(made_by_a_system / "thumbnail.png")
    (folder / "red" / ".hidden").mkdir()
    Image.new("RGB", (6, 6)).save(folder / "red" / ".hidden" / "a.png")
    assert load(folder).fingerprint == expected
    (folder / "red" / "more").mkdir()
    Image.new("RGB", (6, 6)).save(folder / "red" / "more" / "a.png")
    assert load(folder).fingerprint != expected


def test_links_are_followed_once(tmp_path: Path) -> None:
    folder = fill(tmp_path / "photos")
    expected = load(folder).fingerprint
    (folder / "red").rename(tmp_path / "elsewhere")
    (folder / "red").mkdir()
    (folder / "red" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(folder / "red")
    assert load(folder).fingerprint == expected


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path)
    (folder / "red" / "more").mkdir()
    scan = os.scandir

    def refusing(path: Path | str) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "more":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(UserError, match=r"red/more: cannot be read \(Permission denied\)"):
        load(folder)


def test_pictures_that_pillow_does_not_read_are_not_passed_over(tmp_path: Path) -> None:
    """A telephone saves some as HEIC: half of a class would be missing."""
    folder = fill(tmp_path)
    (folder / "red" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(UserError, match=r"red/IMG_1.HEIC: .heic is not read; save it as .jpg or .png"):
        load(folder)


def bursts(folder: Path, count: int = 20, each: int = 4) -> Path:
    """Pictures whose grey value is the number of their burst."""
    for label, name in enumerate(("cats", "dogs")):
        (folder / name).mkdir(parents=True)
        for burst in range(count):
            for shot in range(each):
                value = label * count + burst
                Image.new("L", (4, 4), value).save(folder / name / f"IMG_{value:03d}_{shot}.png")
    return folder


@pytest.mark.parametrize("pattern", [r"IMG_\d+", r"IMG_(\d+)_"])
def test_groups_stay_on_one_side_of_every_cut(tmp_path: Path, pattern: str) -> None:
    dataset = load(bursts(tmp_path), group=pattern)
    assert dataset.groups is not None
    parts = split(dataset, validation=0.2)
    sides = [
        set(x[:, 0, 0, 0].tolist())
        for x in (dataset.x_train[parts.train], dataset.x_train[parts.validation], dataset.x_test)
    ]
    assert all(sides)
    assert sum(map(len, sides)) == len(set.union(*sides)) == 40
    assert np.bincount(dataset.y_test).tolist() == [16, 16]


def test_without_groups_bursts_are_torn_apart(tmp_path: Path) -> None:
    dataset = load(bursts(tmp_path))
    assert dataset.groups is None
    assert set(dataset.x_train[:, 0, 0, 0].tolist()) & set(dataset.x_test[:, 0, 0, 0].tolist())


def test_a_name_that_does_not_match_stands_alone(tmp_path: Path) -> None:
    folder = bursts(tmp_path)
    for i in range(5):
        Image.new("L", (4, 4), 200 + i).save(folder / "cats" / f"other{i}.png")
    dataset = load(folder, group=r"IMG_(\d+)")
    assert dataset.groups is not None
    lone = dataset.groups[dataset.x_train[:, 0, 0, 0] >= 200]
    assert len(set(lone.tolist())) == len(lone) >= 4


def test_a_group_in_both_train_and_test_is_refused(tmp_path: Path) -> None:
    bursts(tmp_path / "train")
    bursts(tmp_path / "test", count=1)
    with pytest.raises(
        UserError, match=r"2 groups are in both train and test, e.g. IMG_000_0.png and IMG_000"
    ):
        load(tmp_path, group=r"IMG_(\d+)_")
    assert len(load(tmp_path).x_test) == 8


def lying_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header announces a size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        (b"", "cannot be read"),
        (b"no picture at all", r"cannot be read \(not a picture\)"),
        (lying_png(8_000, 8_000), "8000x8000 pixels, more than the 50,000,000"),
        (lying_png(12_000, 12_000), "12000x12000 pixels, more than the 50,000,000"),
        (lying_png(60_000, 60_000), "far more pixels, more than the 50,000,000"),
        (lying_png(6, 6), "cannot be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 6\n", r"cannot be read \(not a picture\)"),
    ],
)
def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path, contents: bytes, complaint: str) -> None:
    folder = fill(tmp_path)
    (folder / "red" / "broken.png").write_bytes(contents)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserError, match=rf"red/broken\.png: .*{complaint}") as caught:
            load(folder)
    assert "\n" not in str(caught.value)


MEASURED = """
import resource, sys
from pathlib import Path
from PIL import Image
from nablab.data.sources.picture import _formats, read_picture
_formats()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(*read_picture(Path(sys.argv[1]), None, "rgb").shape)
except Exception as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def measured(path: Path) -> tuple[str, int]:
    """What reading a picture comes to in a process of its own, and the MiB it takes."""
    done = subprocess.run([sys.executable, "-c", MEASURED, path], capture_output=True, text=True, check=True)
    said, memory = done.stdout.splitlines()
    return said, int(memory)


def test_a_header_that_lies_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "lying.png"
    path.write_bytes(lying_png(7_000, 7_000))
    said, memory = measured(path)
    assert "cannot be read" in said
    assert memory < 20


def test_the_largest_picture_takes_less_than_512_mib(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    bomb = Image.new("P", (7_000, 7_000))
    bomb.putpalette([1, 2, 3])
    bomb.save(path, transparency=bytes([128]), compress_level=1)
    assert path.stat().st_size < 500_000
    said, memory = measured(path)
    assert said == "3 7000 7000"
    assert memory < 500


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "bmp"])
def test_a_truncated_picture_is_named(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"cut\.{suffix}: cannot be read"):
        read_picture(path, None, "rgb")


def test_different_sizes_need_one(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    Image.new("RGB", (9, 7)).save(folder / "red" / "wide.png")
    with pytest.raises(UserError, match=r"differ in size \(6x6 in blue0.png, 9x7 in wide.png\).*--size 64"):
        load(folder)
    assert load(folder, size=5).input_shape == (3, 5, 5)


def test_more_than_fits_into_memory_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_MOST_BYTES", 20 * 3 * 36 - 1)
    complaint = r"20 pictures of 6x6 are .* GiB, more than .*--size 64, or prepare them once"
    with pytest.raises(UserError, match=complaint):
        load(fill(tmp_path))
    monkeypatch.setattr(decoding, "_MOST_BYTES", 2**62)

    empty = np.empty

    def no_memory_for_pixels(shape: object, dtype: object = float) -> NDArray[np.uint8]:
        if dtype == np.uint8:
            raise MemoryError
        return empty(shape, dtype)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(np, "empty", no_memory_for_pixels)
    with pytest.raises(UserError, match=complaint):
        load(tmp_path)


def test_pictures_take_half_of_a_containers_memory_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were decoded until the system killed the process."""
    folder = fill(tmp_path / "photos")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    limit = tmp_path / "memory.max"
    limit.write_text(f"{2 * 20 * 3 * 36 - 1}\n")
    with pytest.raises(UserError, match=r"20 pictures of 6x6 are .* GiB, more than memory here has room for"):
        load(folder)
    assert load(folder, size=5).input_shape == (3, 5, 5)
    limit.write_text(f"{2 * 20 * 3 * 36}\n")
    assert load(folder).input_shape == (3, 6, 6)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"size": 0}, "size must be a whole number"),
        ({"size": 99_999}, "size must be a whole number"),
        ({"color": "gray"}, "'gray' is neither grey nor rgb; did you mean grey"),
        ({"group": "(red"}, "not a regular expression"),
        ({"group": "burst"}, "matches no file name, such as blue0.png"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, options: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        load(fill(tmp_path), **options)  # type: ignore[arg-type]


def test_folders_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two or more classes; found no folder"):
        load(tmp_path)
    (tmp_path / "red").mkdir()
    with pytest.raises(UserError, match="two or more classes; found red"):
        load(tmp_path)
    (tmp_path / "blue").mkdir()
    with pytest.raises(UserError, match="blue: holds no picture"):
        load(tmp_path)
    fill(tmp_path / "parts" / "train")
    fill(tmp_path / "parts" / "test")
    (tmp_path / "parts" / "test" / "green").mkdir()
    with pytest.raises(UserError, match="class 'green' has no folder beside the training pictures"):
        load(tmp_path / "parts")
    fill(tmp_path / "above" / "photos", 1)
    with pytest.raises(UserError, match=r"found photos; did you mean .*above/photos\?"):
        load(tmp_path / "above")
    fill(tmp_path / "few", 1)
    with pytest.raises(UserError, match="2 samples are too few samples to cut a test set off"):
        load(tmp_path / "few")


def test_threads_leave_the_filters_of_warnings_as_they_were(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    first, second = threading.Event(), threading.Event()
    before = list(warnings.filters)

    def early() -> None:
        with picture._opened(tmp_path / "a.png"):
            first.set()
            second.wait(10)

    def late() -> None:
        first.wait(10)
        with picture._opened(tmp_path / "a.png"):
            second.set()
            threads[0].join(10)

    threads = [threading.Thread(target=early), threading.Thread(target=late)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert warnings.filters == before


def test_in_parallel_keeps_the_order_and_stops_at_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "usable_cores", lambda: 4)
    begun: list[int] = []

    def square(number: int) -> int:
        begun.append(number)
        time.sleep(0.001 * (number % 3))
        if number == 500:
            raise UserError("500 is enough")
        return number * number

    assert list(decoding.in_parallel(square, range(200))) == [number**2 for number in range(200)]
    begun.clear()
    results = decoding.in_parallel(square, range(1_000_000))
    with pytest.raises(UserError, match="500 is enough"):
        list(results)
    assert max(begun) < 600
    assert list(decoding.in_parallel(square, [])) == []


def test_progress_is_told_of_what_takes_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "photos", 3)
    told: list[tuple[str, int, int]] = []
    load(folder, progress=lambda *now: told.append(now))
    assert told == []
    monkeypatch.setattr(decoding, "_PATIENCE", 0)
    load(folder, progress=lambda *now: told.append(now))
    work = ("headers in photos", "pictures in photos")
    assert told == [(what, done + 1, 6) for what in work for done in range(6)]
    told.clear()
    load(folder, size=4, color="rgb", progress=lambda *now: told.append(now))  # nothing hangs on headers
    assert {what for what, _, _ in told} == {"pictures in photos"}


def test_both_parts_are_views_of_what_is_decoded(tmp_path: Path) -> None:
    """Half of the memory that copies would take beside it."""
    dataset = load(fill(tmp_path))
    assert isinstance(dataset.x_train, np.ndarray)
    assert isinstance(dataset.x_test, np.ndarray)
    assert dataset.x_train.base is not None
    assert dataset.x_train.base is dataset.x_test.base


def test_what_cannot_be_split_says_so_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bursts(tmp_path / "photos" / "train")
    bursts(tmp_path / "photos" / "test", count=1)
    odd = fill(tmp_path / os.fsdecode(b"caf\xe9"))

    def never(*_: object) -> None:
        raise AssertionError("decoded in vain")

    monkeypatch.setattr(decoding, "read_header", never)
    monkeypatch.setattr(decoding, "read_picture", never)
    with pytest.raises(UserError, match="groups are in both train and test"):
        load(tmp_path / "photos", group=r"IMG_(\d+)_")
    with pytest.raises(UserError, match="its name has control characters or broken UTF-8"):
        load(odd)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_exif_that_cannot_be_read_turns_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(gradient(40, 30)).save(path, exif=b"Exif\0\0garbage", lossless=True)
    header = read_header(path)
    assert (header.width, header.height, header.turned) == (30, 40, False)
    assert read_picture(path, None, "rgb").shape == (3, 40, 30)
