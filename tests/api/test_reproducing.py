"""`nablab reproduce`: as comparisons that can be resumed and added to; what is left out says why."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import nablab
from nablab.analysis.published import BOARDS, Figure, Published
from nablab.api import progress
from nablab.cli import main
from nablab.errors import UserError
from nablab.runs.store import find_runs


def published(name: str, recipe: str, *figures: Figure, **more: str) -> Published:
    return Published(name, name.upper(), "as they say", "a table", recipe, figures, **more)


@pytest.fixture(autouse=True)
def board() -> Iterator[None]:
    """Figures that nobody published, on digits: quick to run again."""
    half, whole = Figure(0.5, 0.8, 3, 10.0), Figure(1.0, 0.9, 3)
    BOARDS["digits"] = (  # type: ignore[index]
        published("line", "handout", half, whole, reference="net_linear"),
        published("two", "handout", whole, reference="16-ReLU-K", guess="nobody knows"),
        published("near", "classical", whole, reference="logistic_regression"),
        published("cloud", "plain", whole, missing="not a network"),
        published("future", "plain", whole, reference="no_such_network"),
    )
    yield
    del BOARDS["digits"]  # type: ignore[attr-defined]


def stamps(folder: Path) -> dict[str, int]:
    return {run.path.name: (run.path / "run.json").stat().st_mtime_ns for run in find_runs(folder)}


def test_rows_are_run_skipped_with_a_reason_and_added_to(tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = {"seeds": 2, "epochs": 1, "out": out, "progress": False}
    first = nablab.reproduce("digits", rows=["line", "cloud", "future"], **options)
    ran = {(one.row.name, one.figure.fraction): len(one.runs) for one in first.rows}
    assert ran == {("line", 0.5): 2, ("line", 1.0): 2, ("cloud", 1.0): 0, ("future", 1.0): 0}
    reasons = {one.row.name: one.reason for one in first.rows}
    assert reasons["line"] == ""
    assert reasons["cloud"] == "not a network"
    assert reasons["future"].startswith("not here yet: no model 'no_such_network'")
    recipe = first.rows[0].runs[0].record.recipe
    assert (recipe["optimizer"], recipe["validation"], recipe["epochs"]) == ("adam", 0.0, 1)
    before = stamps(out)

    again = nablab.reproduce("digits", rows=["line", "two", "near"], **options)
    assert {one.row.name: len(one.runs) for one in again.rows} == {"line": 2, "two": 2, "near": 1}
    after = stamps(out)
    assert {name: after[name] for name in before} == before, "what was trained is not trained again"
    assert len(after) == len(before) + 3
    near = next(one for one in again.rows if one.row.name == "near").runs[0].record
    assert near.preprocessing["kind"] == "standardize"
    assert len(nablab.leaderboard(out, data="digits").board.entries) == 4

    with pytest.raises(UserError, match="begun with other seeds or another recipe"):
        nablab.reproduce("digits", rows=["line"], **options | {"epochs": 2})


def test_what_was_trained_alike_elsewhere_is_taken(tmp_path: Path) -> None:
    def train(name: str, **changes: object) -> Path:
        options = {
            "preset": "handout",
            "fractions": [0.5],
            "seeds": 2,
            "epochs": 1,
            "progress": False,
        } | changes
        return nablab.compare(["net_linear", "8-ReLU-K"], "digits", out=tmp_path / name, **options).folder

    def reproduced(*trained: Path) -> tuple[object, ...]:
        options = {"rows": ["line"], "fractions": [0.5], "seeds": 1, "epochs": 1, "progress": False}
        (row,) = nablab.reproduce(
            "digits", trained=trained, out=tmp_path / f"out {len(trained)}", **options
        ).rows
        return tuple(run.folder.path.parents[1].name for run in row.runs)

    alike = train("alike", threads=1, evaluate_every=1)
    others = [train("longer", epochs=2), train("less", fractions=[0.25]), train("slice", test_fraction=0.5)]
    assert reproduced(*others) == ("handout-0.5",)
    assert reproduced(*others, alike) == ("alike", "alike")
    assert not (tmp_path / "out 4" / "comparisons").exists()


def test_the_pages_hold_what_was_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = nablab.reproduce(
        "digits", rows=["two", "near", "cloud"], seeds=2, epochs=1, out=out, progress=False
    )
    page = (out / "index.md").read_text(encoding="utf-8")
    assert page.startswith(
        "# Published figures on digits, and ours\n\n2 of 3 published figures were run again."
    )
    assert "TWO: nobody knows" in page
    assert "100\N{NO-BREAK SPACE}%" in page, "a number stays with its unit"
    assert "preset handout with preprocessing = standardize" in page.replace("\\_", "_")
    assert "processor: " in page
    assert "torch: " in page
    lines = list(csv.DictReader((out / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert [line["row"] for line in lines] == ["two", "near", "cloud"]
    for line, one in zip(lines, done.rows, strict=True):
        assert line["accuracy"] == ("" if one.accuracy is None else repr(one.accuracy))
        assert [float(text) for text in line["accuracies"].split(";") if text] == list(one.accuracies)
    records = [json.loads(line) for line in (out / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["model"]["label"] for record in records] == ["two", "two", "near"]
    text = repr(done)
    assert "our guess of the model" in text
    assert "not a network" in text
    assert done._repr_html_().startswith("<table>")


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def planned(**more: object) -> dict[tuple[str, float], tuple[int, int]]:
        plan = nablab.plan_reproduction("digits", seeds=2, epochs=1, out=tmp_path / "out", **more)
        assert all((one.seconds is not None) == bool(one.missing) for one in plan.rows)
        return {(one.row.name, one.figure.fraction): (one.there, one.missing) for one in plan.rows}

    new = {
        ("line", 0.5): 2,
        ("line", 1.0): 2,
        ("two", 1.0): 2,
        ("near", 1.0): 1,
        ("cloud", 1.0): 0,
        ("future", 1.0): 0,
    }
    assert planned() == {key: (0, missing) for key, missing in new.items()}
    assert not (tmp_path / "out").exists()
    options = {"preset": "handout", "seeds": 1, "epochs": 1, "progress": False}
    nablab.reproduce("digits", rows=["near"], seeds=2, epochs=1, out=tmp_path / "out", progress=False)
    nablab.compare(["net_linear"], "digits", fractions=[0.5], out=tmp_path / "alike", **options)
    found = planned(trained=[tmp_path / "alike"])
    assert found[("near", 1.0)] == (1, 0)
    assert found[("line", 0.5)] == (1, 0), "what was trained elsewhere is taken as it is"
    assert found[("line", 1.0)] == (0, 2)

    arguments = ["reproduce", "digits", "--rows", "two,cloud", "--dry-run", "--out", str(tmp_path / "cli")]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "3 runs to do: about " in shown
    assert "not a network" in shown
    assert main([*arguments, "--time-limit", "0.000001", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["seconds"] == 0
    assert "the limit is 1.00 µs" in document["figures"][0]["reason"]
    assert not (tmp_path / "cli").exists()


def test_what_takes_too_long_is_left_out_and_done_with_more_time(tmp_path: Path) -> None:
    options = {
        "rows": ["line"],
        "fractions": [1.0],
        "seeds": 1,
        "epochs": 1,
        "out": tmp_path,
        "progress": False,
    }
    (one,) = nablab.reproduce("digits", time_limit=1e-6, **options).rows
    assert one.runs == ()
    assert one.reason.startswith("about ")
    assert one.reason.endswith("for 1 run, and the limit is 1.00 µs")
    assert not (tmp_path / "comparisons").exists()
    (one,) = nablab.reproduce("digits", time_limit="1h", **options).rows
    assert len(one.runs) == 1
    assert one.standing == "open"
    (one,) = nablab.reproduce("digits", time_limit=1e-6, **options).rows
    assert len(one.runs) == 1, "what is there is shown, whatever the limit"


def test_an_interrupted_call_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {
        "rows": ["line"],
        "fractions": [1.0],
        "seeds": 2,
        "epochs": 1,
        "out": tmp_path,
        "progress": False,
    }
    watch = progress.watch

    def stopping(plan, events, *, show):
        for event in events:
            if type(event).__name__ == "RunDone":
                events.close()
                raise KeyboardInterrupt
        return watch(plan, events, show=show)

    monkeypatch.setattr(progress, "watch", stopping)
    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        nablab.reproduce("digits", **options)
    monkeypatch.setattr(progress, "watch", watch)
    (before,) = stamps(tmp_path).items()
    (one,) = nablab.reproduce("digits", **options).rows
    assert len(one.runs) == 2
    assert stamps(tmp_path)[before[0]] == before[1]


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = [
        "reproduce",
        "digits",
        "--rows",
        "line,near",
        "--fractions",
        "1",
        "--seeds",
        "2",
        "--epochs",
        "1",
    ]
    assert main([*words, "--out", str(tmp_path), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "LINE" in said
    assert said.rstrip().endswith(f"page      {tmp_path / 'index.md'}")
    assert main([*words, "--out", str(tmp_path), "--quiet", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [figure["row"] for figure in document["figures"]] == ["line", "near"]
    assert document["figures"][0]["n"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cifar10"], "nothing published on 'cifar10'"),
        (["digits", "--rows", "lines"], "no published row 'lines'; did you mean line?"),
        (["digits", "--fractions", "0.3"], "there are 0.5, 1"),
        (["digits", "--time-limit", "soon"], "is not a time"),
    ],
)
def test_mistakes_are_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], said: str
) -> None:
    assert main(["reproduce", *words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
