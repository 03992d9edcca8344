"""`show_data` and `nablab data show`: plain numbers, files, and one-line errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nablab
from nablab.cli import main


def test_facts_are_plain_and_right() -> None:
    digits = nablab.load("digits")
    facts = nablab.show_data("digits", augmentation="shift:1").facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["title"] == "Handwritten digits"
    assert facts["input_shape"] == [1, 8, 8]
    assert facts["train"] == len(digits.x_train)
    assert facts["mean"] == pytest.approx([digits.x_train.mean()])
    assert facts["deviation"] == pytest.approx([digits.x_train.std()])
    assert facts["seen"] == [0, 16]
    assert [row["train"] for row in facts["classes"]] == np.bincount(digits.y_train).tolist()
    assert [row["test"] for row in facts["classes"]] == np.bincount(digits.y_test).tolist()
    assert facts["fingerprint"] == digits.fingerprint


def test_data_itself_can_be_shown() -> None:
    x = np.zeros((4, 3, 5, 5), np.uint8)
    data = nablab.make_dataset("mine", x, np.arange(4) % 2, x, np.arange(4) % 2, ("a", "b"), source="here")
    shown = nablab.show_data(data, examples=1)
    assert shown.title == "mine"
    assert shown.what == ""
    assert repr(shown).startswith("mine\n4 training and 4 test images, 5 x 5, colour, 2 classes\n")
    assert shown._repr_html_().count("<img") == 4
    assert len(shown.figure().axes) == 3


def test_the_command_writes_a_picture_and_prints_numbers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "digits.png"
    words = ["data", "show", "digits", "--augment", "shift:1", "--examples", "2", "--picture", str(path)]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "Handwritten digits" in out
    assert "\x1b" not in out
    assert err == f"picture  {path}\n"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert main([*words, "--json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == nablab.show_data("digits").facts()
    assert err == ""


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["digits", "--picture", "digits.jpeg"], "a picture of data is a .png or .svg file, not digits.jpeg"),
        (["gone", "--picture", "digits.jpeg"], "a picture of data is a .png or .svg file, not digits.jpeg"),
        (["digits", "--augment", "flop"], "no augmentation 'flop'"),
        (["spiral", "--augment", "flip"], "these samples are features"),
        (["digits", "--examples", "-1"], "examples must be 0 or more, not -1"),
        (["digits", "--size", "9"], "digits takes no size"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "show", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert complaint in err
    assert not list(tmp_path.iterdir())
