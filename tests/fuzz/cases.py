"""Cases: by kind and seed, the files that make one and the reader that gets them."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from . import originals
from .mutations import damage, damage_gzip, damage_png, damage_tar


@dataclass(frozen=True)
class Case:
    """What is written into an empty folder, and then read.

    Attributes:
        files: by their path in the folder, with `/`; surrogates stand for bytes that are not UTF-8.
        entry: the path that the reader gets; empty for the folder itself.
        reader: which of `oracle.READERS`.
        size: what pictures are brought to; None leaves them.
        links: symbolic links and where they lead; `pipe` makes a named pipe instead.
    """

    files: dict[str, bytes]
    entry: str
    reader: str = "load"
    size: int | None = None
    links: dict[str, str] = field(default_factory=dict)


def make_case(kind: str, seed: int) -> Case:
    """The case of that number, the same on every machine with the same versions of NumPy and Pillow."""
    return KINDS[kind](Random(f"{kind} {seed}"))


def _chance(random: Random, share: float) -> bool:
    return random.random() < share


def _idx(random: Random) -> Case:
    made = originals.idx()
    content = random.choice(made)
    if content[:2] == b"\x1f\x8b" and _chance(random, 0.7):
        content = damage_gzip(random, content)
    else:
        content = damage(random, content, random.choice(made))
    return Case({"train-images-idx3-ubyte.gz": content}, "train-images-idx3-ubyte.gz", "idx")


def _cifar(random: Random) -> Case:
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    files = {name: originals.cifar_records(10) for name in names}
    classes = "airplane automobile bird cat deer dog frog horse ship truck"
    files["batches.meta.txt"] = classes.replace(" ", "\n").encode() + b"\n"
    name = random.choice(list(files))
    if name.endswith(".bin") and _chance(random, 0.2):
        label = 3073 * random.randrange(10)
        files[name] = files[name][:label] + random.randbytes(1) + files[name][label + 1 :]
    else:
        files[name] = damage(random, files[name], originals.cifar_records(1))
    if _chance(random, 0.05):
        del files[name]
    if _chance(random, 0.3):
        inside = {f"cifar-10-batches-bin/{name}": content for name, content in files.items()}
        return Case({"cifar-10-binary.zip": originals.zipped(inside)}, "cifar-10-binary.zip", "cifar")
    return Case({f"cifar/{name}": content for name, content in files.items()}, "cifar", "cifar")


def _npy(random: Random) -> Case:
    x, y = originals.samples(), originals.labels()
    usual = _chance(random, 0.5)
    files = {
        "X.npy": x["bytes"] if usual else random.choice(list(x.values())),
        "Y.npy": y["numbers"] if usual else random.choice(list(y.values())),
    }
    name = random.choice(("X.npy", "X.npy", "Y.npy"))
    if usual or _chance(random, 0.5):
        files[name] = damage(random, files[name], random.choice(list(x.values())))
    return Case(
        {f"set/{name}": content for name, content in files.items()}, random.choice(("set", "set/X.npy"))
    )


def _npz(random: Random) -> Case:
    x, y = originals.samples(), originals.labels()
    usual = _chance(random, 0.75)
    members = {
        "X.npy": x["bytes"] if usual else random.choice(list(x.values())),
        "y.npy": y["numbers"] if usual else random.choice(list(y.values())),
    }
    if _chance(random, 0.3):
        members |= {"X_test.npy": members["X.npy"], "y_test.npy": members["y.npy"]}
    if _chance(random, 0.2):
        members["classes.npy"] = originals.npy(np.array([f"name {number}" for number in range(10)]))
    whole = _chance(random, 0.3)
    if not whole:
        name = random.choice(list(members))
        members[name] = damage(random, members[name], x["floats"])
    content = originals.zipped(members, random.choice((0, 8)))
    if whole:
        content = damage(random, content, x["bytes"])
    return Case({"set.npz": content}, "set.npz")


@cache
def _prepared_files() -> dict[str, bytes]:
    from nablab.data.prepare import prepare

    with tempfile.TemporaryDirectory() as folder:
        for label, name in enumerate(("cat", "dog")):
            for number in range(5):
                path = Path(folder, "photos", name, f"{number}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(originals.picture("png", 7 * number + label * 35))
        made = Path(folder, "made")
        prepare(Path(folder, "photos"), made, size=6)
        return {path.name: path.read_bytes() for path in sorted(made.iterdir())}


#: Names of samples and labels in others' archives, and parts of those names that do not belong together.
_STEMS = (("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("X_{}", "Y_{}"))


def _others_npz(random: Random) -> Case:
    """Keras' and MedMNIST's names, often with a part that is missing or unlike the others."""
    x, y = originals.samples(), originals.labels()
    stems = random.choice(_STEMS)
    members = {}
    for part in random.sample(("train", "val", "valid", "validation", "test"), random.randint(1, 3)):
        usual = _chance(random, 0.9)
        members[stems[0].format(part)] = x["bytes"] if usual else random.choice(list(x.values()))
        members[stems[1].format(part)] = y["numbers"] if usual else random.choice(list(y.values()))
    if _chance(random, 0.8):
        members |= {stems[0].format("train"): x["bytes"], stems[1].format("train"): y["numbers"]}
    if _chance(random, 0.2):
        members |= {random.choice(("X", "data", "images", "y", "labels")): random.choice(list(x.values()))}
    if _chance(random, 0.2):
        del members[random.choice(list(members))]
    if _chance(random, 0.2):
        members["target_names"] = originals.npy(np.array([f"name {number}" for number in range(10)]))
    if members and _chance(random, 0.3):
        name = random.choice(list(members))
        members[name] = damage(random, members[name], x["floats"])
    content = originals.zipped({f"{name}.npy": held for name, held in members.items()}, 8)
    return Case({"set.npz": content}, "set.npz")


def _prepared(random: Random) -> Case:
    files = dict(_prepared_files())
    name = random.choice(list(files))
    if name.endswith(".json") and _chance(random, 0.7):
        files[name] = changed_note(random, files[name])
    else:
        files[name] = damage(random, files[name], files["X.npy"])
    return Case({f"made/{name}": content for name, content in files.items()}, "made")


def changed_note(random: Random, content: bytes) -> bytes:
    """A field of the note gets a value that it should not have."""
    note = json.loads(content)
    odd = [
        None,
        -1,
        0,
        10**30,
        1.5,
        float("nan"),
        "",
        "a\nb",
        [],
        [1],
        {},
        True,
        ["x", "x"],
        [[]],
        [10**9, 3, 6, 6],
    ]
    note[random.choice(list(note))] = random.choice(odd)
    return json.dumps(note).encode()


def _png(random: Random) -> Case:
    content = originals.picture("png", random.randrange(14))
    if _chance(random, 0.7):
        return _pictures(random, "png", damage_png(random, content))
    return _pictures(random, "png", damage(random, content, originals.picture("jpg", 0)))


def _jpeg(random: Random) -> Case:
    content = originals.picture("jpg", random.randrange(8))
    return _pictures(random, "jpg", damage(random, content, originals.picture("jpg", 1)))


def _picture(random: Random) -> Case:
    suffixes = [suffix for suffix in originals.PICTURES if originals.can_be_made(suffix)]
    suffix = random.choice(suffixes)
    other = originals.picture(random.choice(suffixes), random.randrange(4))
    return _pictures(random, suffix, damage(random, originals.picture(suffix, random.randrange(4)), other))


def _pictures(random: Random, suffix: str, damaged: bytes) -> Case:
    """Two classes of which one has the damaged picture."""
    names = [*(f"cat/{number}" for number in range(4)), *(f"dog/{number}" for number in range(5))]
    files = {f"photos/{name}.png": originals.picture("png", 7 * place) for place, name in enumerate(names)}
    files[f"photos/cat/damaged.{suffix}"] = damaged
    return Case(files, "photos", size=random.choice((None, 8, 8)))


_ODD_FIELDS = (
    "", " ", "..", "../../etc/passwd", "/dev/zero", "/dev/stdin", "photos", "a\0b", "x" * 5000, '"', "'",
    "\t", "-1", "nan", "é", "\ufeff", "cat\u202e", "1" * 5000, "²", "١", "train", "TEST", "a\nb", "pipe.png",
    "loop.png",
)  # fmt: skip


def _csv(random: Random) -> Case:
    files = {f"photos/{number}.png": originals.picture("png", 7 * number) for number in range(10)}
    columns = ["path", "label", *random.sample(["split", "group"], random.randrange(3))]
    rows = []
    for number in range(10):
        values = {
            "path": f"photos/{number}.png",
            "label": ("cat", "dog")[number % 2],
            "split": ("train", "test")[number > 6],
            "group": str(number),
        }
        rows.append([values[column] for column in columns])
    mark = random.choice((",", ",", ";", "\t"))
    for _ in range(random.choice((0, 1, 1, 2))):
        rows[random.randrange(10)][random.randrange(len(columns))] = random.choice(_ODD_FIELDS)
    end = random.choice(("\n", "\n", "\r\n", "\r"))
    text = end.join(mark.join(row) for row in [columns, *rows]) + end
    content = text.encode(random.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16")))
    if _chance(random, 0.5):
        content = damage(random, content, files["photos/0.png"])
    return Case(
        files | {"list.csv": content},
        "list.csv",
        links={"pipe.png": "pipe", "loop.png": "loop.png"} if _chance(random, 0.1) else {},
    )


def _archive(random: Random) -> Case:
    made = originals.archives()
    kind = random.choice(list(made))
    content = made[kind]
    if kind in ("tar", "pax") and _chance(random, 0.7):
        content = damage_tar(random, content)
    elif kind == "tar.gz" and _chance(random, 0.7):
        content = gzip.compress(damage_tar(random, gzip.decompress(content)), mtime=0)
    else:
        content = damage(random, content, random.choice(list(made.values())))
    return Case({f"an.{kind}": content}, f"an.{kind}", random.choice(("members", "unpacked")))


_ODD_NAMES = (
    "caf\udce9", "a\nb", " ", "x" * 250, "-rf", "$(id)", "%s%n", "{0}", "é", "e\u0301", "\u202egnp", "²", "١",
    "00", "0", "con", "train", "test", "X.npy", "prepared.json", "a\x1b[31m", "[red]", ".hidden", "a.png",
)  # fmt: skip


def _folder(random: Random) -> Case:
    """Odd names of classes and pictures, links, pipes, empty folders, files where folders should be."""
    files = {}
    classes = [*random.sample(_ODD_NAMES, random.randrange(4)), "cat", "dog"]
    for name in classes:
        for number in range(random.choice((0, 1, 3, 5, 5)) if name != "cat" else 5):
            odd = random.choice(_ODD_NAMES) if _chance(random, 0.1) else str(number)
            suffix = random.choice((".png", ".png", ".png", ".PNG", "", ".txt", ".eps"))
            files[f"photos/{name}/{odd}{suffix}"] = originals.picture("png", 7 * number)
    if _chance(random, 0.2):
        files[f"photos/{random.choice(_ODD_NAMES)}.png"] = b""
    targets = ("pipe", "photos", "..", "nowhere", "loop.png", "/dev/zero", "/proc/self/mem", "dog")
    links = {}
    if _chance(random, 0.4):
        links[f"photos/{random.choice(('cat/loop.png', 'linked', 'cat/inner'))}"] = random.choice(targets)
    return Case(files, random.choice(("photos", "photos", "photos/cat")), links=links)


KINDS: dict[str, Callable[[Random], Case]] = {
    "idx": _idx,
    "cifar": _cifar,
    "npy": _npy,
    "npz": _npz,
    "others-npz": _others_npz,
    "prepared": _prepared,
    "png": _png,
    "jpeg": _jpeg,
    "picture": _picture,
    "csv": _csv,
    "archive": _archive,
    "folder": _folder,
}
