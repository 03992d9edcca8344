"""One battery for every rule: it finds what is planted, names the rows, and is silent on what is healthy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nablab.data import load
from nablab.data.checks.examine import examine
from nablab.data.checks.finding import SEVERITIES, Finding, Row
from nablab.data.checks.material import Material
from nablab.data.checks.rules import DATA_RULES, FILE_RULES
from nablab.data.dataset import Dataset, LazyRows, make_dataset
from nablab.data.sources.fashion_mnist import load_slice
from nablab.errors import UserError

TRAIN, TEST, CLASSES, SIDE = 300, 120, 3, 12


def healthy(channels: int = 1, *, seed: int = 0) -> Dataset:
    """Noise of 12x12 whose brightness varies; classes of equal size, no image like another."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(40, 200, (TRAIN + TEST, channels, SIDE, SIDE))
    x = (noise + rng.integers(-30, 30, (TRAIN + TEST, 1, 1, 1))).astype(np.uint8)
    y = np.arange(TRAIN + TEST) % CLASSES
    classes = ("cat", "dog", "eel")
    return make_dataset(
        "healthy", x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:], classes, source="drawn in a test"
    )


def changed(dataset: Dataset, **parts: Any) -> Dataset:
    """The data set with other arrays, which are copies that `parts` may be computed from."""
    sizes = {"x_train": "train", "x_test": "test"}
    ids: dict[str, Any] = {}
    for name, part in sizes.items():
        if name in parts:
            ids |= {f"{part}_ids": np.arange(len(parts[name])), f"{part}_total": len(parts[name])}
    return replace(dataset, **parts, **ids)


def with_image(dataset: Dataset, part: str, row: int, image: Any) -> Dataset:
    """The data set with one image replaced."""
    x = np.array(getattr(dataset, f"x_{part}"))
    x[row] = image
    return replace(dataset, **{f"x_{part}": x})


@dataclass(frozen=True)
class Case:
    """Something wrong, and what the rule has to say: how bad, of which rows, with which numbers."""

    rule: str
    name: str
    plant: Callable[[], Dataset]
    severity: str
    rows: tuple[tuple[Row, ...], ...]
    says: tuple[str, ...]


def train(*rows: int) -> tuple[Row, ...]:
    return tuple(Row("train", row) for row in rows)


def test_(*rows: int) -> tuple[Row, ...]:
    return tuple(Row("test", row) for row in rows)


test_.__test__ = False  # type: ignore[attr-defined]


def leaked() -> Dataset:
    data = healthy()
    return with_image(with_image(data, "test", 4, data.x_train[7]), "test", 90, data.x_train[12])


def copied(*, part: str = "train", same_label: bool = True) -> Dataset:
    data = healthy()
    x = getattr(data, f"x_{part}")
    return with_image(data, part, 10 if same_label else 11, x[1])


def many_copies() -> Dataset:
    data = healthy()
    x = data.x_train.copy()
    x[[30, 60, 90, 120]] = x[0]
    return changed(data, x_train=x)


def nearly(part: str, row: int, of: np.ndarray) -> Dataset:
    """The image at `row` is another one, darker and with a little noise: correlated 0.9995."""
    image = of.astype(np.float64)
    noise = np.random.default_rng(1).normal(0, image.std() * 0.02, image.shape)
    return with_image(healthy(), part, row, np.clip(np.rint(image * 0.8 + noise), 0, 255))


def near_leak(count: int) -> Dataset:
    data = healthy()
    x = np.array(data.x_test)
    x[:count] = np.clip(data.x_train[:count].astype(int) * 0.9 + 7, 0, 255)
    return changed(data, x_test=x)


def blank(count: int, *, spread: int = 0) -> Dataset:
    data = healthy()
    x = np.array(data.x_train)
    x[:count] = 90
    x[:count, :, 0, :4] += np.uint8(spread) * np.arange(count, dtype=np.uint8)[:, None, None]
    return changed(data, x_train=x)


def cut_short() -> Dataset:
    image = healthy().x_test[5].copy()
    image[:, 7:] = 128
    return with_image(healthy(), "test", 5, image)


def clipped(value: int) -> Dataset:
    image = np.full((1, SIDE, SIDE), value, dtype=np.uint8)
    image[0, 3, 2:6] = 100
    image[0, -1, ::3] = 90
    return with_image(healthy(), "train", 40, image)


def of_classes(train_counts: tuple[int, ...], test_counts: tuple[int, ...]) -> Dataset:
    data = healthy()
    y_train, y_test = (np.repeat(np.arange(3), counts) for counts in (train_counts, test_counts))
    return changed(
        data,
        x_train=data.x_train[: len(y_train)],
        y_train=y_train,
        x_test=data.x_test[: len(y_test)],
        y_test=y_test,
    )


def brighter(by: float) -> Dataset:
    data = healthy()
    return changed(data, x_test=np.clip(data.x_test.astype(float) + by, 0, 255).astype(np.uint8))


def shifted_features() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5)).astype(np.float32)
    x[400:, 3] += 1.5
    y = np.arange(600) % 2
    return make_dataset("f", x[:400], y[:400], x[400:], y[400:], ("a", "b"), source="drawn in a test")


CASES = (
    Case(
        "exact-leak", "two", leaked, "serious",
        (train(7) + test_(4), train(12) + test_(90)), ("2 of 120 test samples (1.67 %) are",),
    ),
    Case("contradictions", "in train", lambda: copied(same_label=False), "serious", (train(1, 11),),
         ("1 sample is there under more than one label (2 rows)",)),
    Case("exact-duplicates", "in train", copied, "note", (train(1, 10),),
         ("1 sample is several times in train", "1 surplus of 300")),
    Case("exact-duplicates", "in test", lambda: copied(part="test"), "note", (test_(1, 10),),
         ("several times in test",)),
    Case("exact-duplicates", "many", many_copies, "warning", (train(0, 30, 60, 90, 120),),
         ("up to 5 times", "4 surplus of 300 samples (1.33 %)")),
    Case("near-leak", "one", lambda: nearly("test", 60, healthy().x_train[33]), "warning",
         (train(33) + test_(60),), ("1 of 120 test images (0.83 %) is", "1 pair")),
    Case("near-leak", "many", lambda: near_leak(3), "serious",
         tuple(train(row) + test_(row) for row in range(3)), ("3 of 120 test images (2.50 %)", "3 pairs")),
    Case("near-duplicates", "in train", lambda: nearly("train", 60, healthy().x_train[33]), "note",
         (train(33, 60),), ("2 of 300 train images", "1 pair")),
    Case("near-duplicates", "in test", lambda: nearly("test", 60, healthy().x_test[33]), "warning",
         (test_(33, 60),), ("2 of 120 test images (1.67 %)",)),
    Case("near-contradictions", "across", lambda: nearly("test", 61, healthy().x_train[33]), "warning",
         (train(33) + test_(61),), ("1 pair of images",)),
    Case("blank", "one colour", lambda: blank(1), "warning", (train(0),),
         ("1 of 420 images (0.24 %) is of one colour: 1 exactly, 0 nearly",)),
    Case("blank", "nearly one colour", lambda: blank(3, spread=1), "warning", (train(0), train(1), train(2)),
         ("1 exactly, 2 nearly",)),
    Case("blank", "many", lambda: blank(6), "serious", tuple((Row("train", row),) for row in range(6)),
         ("6 exactly",)),
    Case("truncated", "one", cut_short, "warning", (test_(5),), ("1 of 420 images (0.24 %) is", "42 %")),
    Case("saturated", "white", lambda: clipped(255), "warning", (train(40),), ("1 of 420", "brightest")),
    Case("saturated", "black", lambda: clipped(0), "warning", (train(40),), ("1 of 420", "darkest")),
    Case("missing-classes", "in train", lambda: of_classes((100, 100, 0), (40, 40, 40)), "serious", (),
         ("no training sample of eel", "40 of 120 test samples")),
    Case("missing-classes", "in test", lambda: of_classes((100, 100, 50), (40, 40, 0)), "warning", (),
         ("no test sample of eel", "20.0 %")),
    Case("small-classes", "in train", lambda: of_classes((100, 100, 19), (40, 40, 40)), "warning", (),
         ("fewer than 20 training samples of eel (as few as 19)", "is 1 of them")),
    Case("small-classes", "in test", lambda: of_classes((100, 100, 100), (40, 40, 25)), "note", (),
         ("fewer than 30 test samples of eel (as few as 25)", "4.0 %")),
    Case("imbalance", "a little", lambda: of_classes((100, 100, 60), (40, 40, 40)), "note", (),
         ("1.7 times", "(100 and 60)", "38.5 %")),
    Case("imbalance", "much", lambda: of_classes((100, 100, 25), (40, 40, 40)), "warning", (),
         ("4.0 times",)),
    Case("imbalance", "extreme", lambda: of_classes((100, 100, 10), (40, 40, 40)), "serious", (),
         ("10.0 times",)),
    Case("label-drift", "some", lambda: of_classes((100, 100, 100), (60, 40, 20)), "warning", (),
         ("16.7 % of the test", "cat: 33.3 % of train, 50.0 %")),
    Case("label-drift", "much", lambda: of_classes((100, 100, 100), (90, 20, 10)), "serious", (),
         ("41.7 %",)),
    Case("channel-drift", "small", lambda: brighter(12), "warning", (), ("brightness of images",)),
    Case("channel-drift", "large", lambda: brighter(40), "serious", (), ("brightness of images",)),
    Case("channel-drift", "a feature", shifted_features, "serious", (), ("feature 3 differs",)),
)  # fmt: skip


def of_rule(dataset: Dataset, rule: str) -> list[Finding]:
    return list(DATA_RULES[rule].find(Material(dataset)))


def test_every_rule_has_a_case_and_a_name_of_its_own() -> None:
    assert {case.rule for case in CASES} == set(DATA_RULES)
    assert not set(DATA_RULES) & set(FILE_RULES)
    for name, rule in (*DATA_RULES.items(), *FILE_RULES.items()):
        assert name == rule.name
        assert rule.question.endswith("?")


@pytest.mark.parametrize("name", [*DATA_RULES, *FILE_RULES, "label-noise"])
def test_the_guide_tells_of_every_rule(name: str) -> None:
    guide = Path(__file__).parents[3] / "docs" / "guide" / "data.md"
    assert f"`{name}`" in guide.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.name}")
def test_what_is_planted_is_found(case: Case) -> None:
    dataset = case.plant()
    found = [f for f in of_rule(dataset, case.rule) if all(text in f.claim for text in case.says)]
    assert len(found) == 1, [f.claim for f in of_rule(dataset, case.rule)]
    (finding,) = found
    assert (finding.rule, finding.severity) == (case.rule, case.severity)
    assert {frozenset(group) for group in finding.groups} == {frozenset(group) for group in case.rows}
    assert finding.remedy


@pytest.mark.parametrize("rule", DATA_RULES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_rule_is_silent_where_nothing_is_wrong(rule: str, channels: int) -> None:
    assert of_rule(healthy(channels), rule) == []


@pytest.mark.parametrize("seed", range(1, 6))
def test_chance_alone_makes_no_finding(seed: int) -> None:
    assert examine(healthy(seed=seed)).findings == ()


@pytest.mark.parametrize("name", ["digits", "moons", "circles", "blobs"])
def test_nothing_is_said_of_sets_that_are_clean(name: str) -> None:
    assert examine(load(name)).findings == ()


def test_what_is_said_of_the_fashion_slice_is_true() -> None:
    """Its twins correlate as said, when NumPy is asked; and there is nothing else to say."""
    data = load_slice()
    for finding in examine(data).findings:
        assert finding.rule in ("near-leak", "near-duplicates")
        for group, caption in zip(finding.groups, finding.captions, strict=True):
            a, b = ((data.x_train if r.part == "train" else data.x_test)[r.index].ravel() for r in group)
            r = np.corrcoef(a, b)[0, 1]
            assert r >= 0.999 - 1e-6
            assert caption == f"correlation {r:.5f}"


def test_the_origin_of_the_spiral_is_in_all_three_arms() -> None:
    """The lecture's spiral has this fault: its first points, of radius 0, are one point of three classes."""
    found = {finding.rule: finding for finding in examine(load("spiral")).findings}
    assert set(found) == {"exact-leak", "contradictions", "exact-duplicates"}
    assert found["contradictions"].rows == train(0, 100, 200) + test_(0, 100, 200)


def test_findings_come_by_severity_and_features_are_not_asked_about_images() -> None:
    dataset = of_classes((100, 100, 10), (60, 40, 20))
    severities = [SEVERITIES.index(finding.severity) for finding in examine(dataset).findings]
    assert severities == sorted(severities)
    assert len(set(severities)) > 1
    assert set(examine(load("moons")).asked) == {n for n, rule in DATA_RULES.items() if not rule.of_images}
    assert set(examine(healthy()).asked) == set(DATA_RULES)


def test_plain_backgrounds_are_not_called_truncated_or_saturated() -> None:
    """Digits of few strokes: half of the images are nine tenths black, and blank below."""
    data = healthy()
    x = np.array(data.x_train)
    x[::2] = 0
    x[::2, :, 2:4, 4:9] = data.x_train[::2, :, 2:4, 4:9]
    sparse = changed(data, x_train=x)
    assert [*of_rule(sparse, "saturated"), *of_rule(sparse, "truncated")] == []


def test_what_is_common_to_a_lesser_degree_is_not_called_truncated_or_saturated() -> None:
    """One image is blank in its lower half and one nearly all black, but many are so in a part."""
    data = healthy()
    x = np.array(data.x_train)
    x[::3, :, -2:] = 0
    x[3, :, 6:] = 0
    assert of_rule(changed(data, x_train=x), "truncated") == []
    x = np.array(data.x_train)
    x[::3, :, 2:10] = 0
    x[3, :, :11] = 0
    assert of_rule(changed(data, x_train=x), "saturated") == []


def test_a_leak_does_not_list_copies_of_one_part() -> None:
    data = leaked()
    x = np.array(data.x_train)
    x[20] = x[21]
    (finding,) = of_rule(changed(data, x_train=x), "exact-leak")
    assert {row for row in finding.rows if row.part == "train"} == set(train(7, 12))


def test_an_empty_class_is_left_to_the_rule_for_missing_ones() -> None:
    assert of_rule(of_classes((100, 100, 0), (40, 40, 0)), "imbalance") == []


def test_drift_that_sampling_explains_is_no_finding() -> None:
    """Of 20 test images a third of a deviation is nothing; of 20,000 it is a finding."""
    data = healthy()
    few = changed(brighter(6), x_test=brighter(6).x_test[:20], y_test=data.y_test[:20])
    assert of_rule(few, "channel-drift") == []
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40_000, 2)).astype(np.float32)
    x[20_000:, 0] += 0.3
    y = np.arange(20_000) % 2
    many = make_dataset("f", x[:20_000], y, x[20_000:], y, ("a", "b"), source="drawn in a test")
    assert [f.severity for f in of_rule(many, "channel-drift")] == ["warning"]
    x[20_000:, 0] -= 0.2  # significant, and of no consequence
    tiny = make_dataset("f", x[:20_000], y, x[20_000:], y, ("a", "b"), source="drawn in a test")
    assert of_rule(tiny, "channel-drift") == []


def test_rows_that_stay_in_their_file_are_checked_as_those_in_memory_are() -> None:
    data = leaked()
    rows = np.random.default_rng(0).permutation(TRAIN)
    inverse = np.argsort(rows)
    lazy = LazyRows(np.asarray(data.x_train)[inverse].astype(np.int64), rows, np.dtype(np.uint8))
    found = examine(changed(data, x_train=lazy)).findings
    assert found == examine(data).findings
    assert [finding.rule for finding in found] == ["exact-leak"]


def test_misuse() -> None:
    with pytest.raises(UserError, match="similarity 1 is outside"):
        examine(healthy(), similarity=1)
    with pytest.raises(UserError, match="did you mean serious"):
        Finding("blank", "serius", "", "")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="2 captions for 1 groups"):
        Finding("blank", "note", "", "", (train(1),), ("a", "b"))


def test_rows_of_a_finding_are_listed_once() -> None:
    finding = Finding("blank", "note", "", "", (test_(3) + train(9), train(9, 2)))
    assert finding.rows == (*train(2, 9), *test_(3))
