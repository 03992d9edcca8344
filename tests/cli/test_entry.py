"""Exit codes, one-line errors, and options that are those of the issue's examples and of the recipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from nablab.cli import app, main
from nablab.cli.options import OutputOptions
from nablab.cli.recipe_options import HELP, RecipeOptions, given
from nablab.training.recipe import PRESETS, Recipe


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_every_field_of_the_recipe_is_an_option_with_help() -> None:
    names = [f.name for f in fields(Recipe)]
    assert list(HELP) == names
    assert [f.name for f in fields(RecipeOptions)] == names
    assert given(RecipeOptions()) == {}
    assert given(RecipeOptions(epochs=2, l1=0.0)) == {"epochs": 2, "l1": 0.0}


@pytest.mark.parametrize("command", ["compare", "train"])
def test_recipe_options_arrive_with_their_types(command: str) -> None:
    words = [command, "mlp", "--epochs", "2", "--lr", "1e-3", "--optimizer", "sgd", "--nesterov"]
    _, bound, *_ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert given(bound.arguments["recipe"]) == {
        "epochs": 2,
        "lr": 1e-3,
        "optimizer": "sgd",
        "nesterov": True,
    }


def test_help_names_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "train", "--help")
    assert all(name in out.partition("--preset STR")[2][:120] for name in PRESETS)


def test_lists_are_read() -> None:
    words = ["compare", "a", "b", "--fractions", "0.01,0.1,1", "--seeds", "0,2", "--jobs", "2", "--add", "c"]
    _, bound, *_ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert bound.arguments["models"] == ("a", "b")
    assert bound.arguments["fractions"] == (0.01, 0.1, 1.0)
    assert bound.arguments["seeds"] == (0, 2)
    assert bound.arguments["jobs"] == 2
    assert bound.arguments["add"] == ("c",)


@pytest.mark.parametrize(
    "name",
    [
        "compare",
        "train",
        "inspect",
        "predict",
        "report",
        "leaderboard",
        "export",
        "reproduce",
        "runs",
        "data",
    ],
)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, err = run(capsys, name, "--help")
    assert (code, err) == (0, "")
    assert f"nablab {name}" in out
    assert "Examples:" in out


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    import nablab

    assert run(capsys)[0] == 0
    assert run(capsys, "--version")[:2] == (0, f"{nablab.__version__}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compar"], "compare"),
        (["compare", "--epoch", "3"], "--epochs"),
        (["compare", "--epochs", "many"], "--epochs"),
        (["compare", "--optimizer", "adm"], '"adam"'),
        (["compare", "--fractions", "0.1,x"], "'x' is not a number"),
        (["compare", "--seeds", "1.5"], "not a whole number"),
        (["compare", "mlp", "--epochs", "1.5"], "--epochs 1.5: '1.5' is not a whole number"),
        (["reproduce", "--seeds", "2.5"], "not a whole number"),
        (["check", "mlp", "--seed", "0.5"], "not a whole number"),
        (["ladder", "mlp", "--steps", "2.5"], "not a whole number"),
        (["data", "show", "digits", "--examples", "2.5"], "not a whole number"),
        (["data", "show", "digits", "--size", "8.5"], "--size 8.5: '8.5' is not a whole number"),
        (["data", "prepare", "photos", "--size", "8.5"], "not a whole number"),
        (["data", "check", "digits", "--size", "8.5"], "not a whole number"),
        (["verify", "delivery.ipynb", "--sample", "2.5"], "not a whole number"),
        (["compare", "lenett"], "lenet"),
        (["compare", "lenet", "--data", "fashon-mnist"], "fashion-mnist"),
        (["compare", "lenet", "--data", "digits"], "layer 4 (50C5p0)"),
        (["compare", "mlp", "--data", "digits", "--lr", "-1"], "lr must be a positive number"),
        (["compare", "mlp", "--data", "digits", "--lr", "nan"], "lr must be a finite number"),
        (["compare", "mlp", "--data", "digits", "--fractions", "0,1"], "fraction 0.0"),
        (["compare", "mlp", "--data", "digits", "--fractions", "1.5"], "fraction 1.5"),
        (["compare", "mlp", "--data", "digits", "--preset", "fats"], "fast"),
        (["compare", "mlp", "--data", "digits", "--budget", "soon"], "10m"),
        (["compare", "mlp", "--data", "digits", "--jobs", "0"], "jobs must be"),
        (["compare", "mlp", "--size", "64"], "--data"),
        (["compare", "gone.py:Net"], "gone.py: no such file"),
        (["compare", "--resume", "gone"], "no comparison in gone"),
        (["compare", "--resume", "gone", "--epochs", "3"], "leave out --epochs"),
        (["compare", "--resume", "gone", "--dry-run"], "leave out --dry-run"),
        (["compare", "--add", "mlp", "gone", "--dry-run"], "leave out --dry-run"),
        (["compare", "mlp", "--data", "digits", "--budget", "1h30"], "'1h30' is not a time"),
        (["lesson", "run", "a", "--time-limit", "soon"], "nablab: 'soon' is not a time"),
        (["compare", "--add", "mlp"], "--add"),
        (["train"], "nablab train lenet"),
        (["report", "gone"], "no folder gone"),
        (["report"], "FOLDER"),
        (["runs", "show", "gone"], "no folder gone"),
        (["runs", "delete"], "nablab runs list"),
        (["predict", "gone", "x.png"], "no folder gone"),
        (["inspect", "32C3-ReLU-MaxPool2-K-7"], "10 classes"),
        (["data", "fetch", "digits"], "needs no download"),
        (["data", "show", "nothing-like-it"], "known: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *words)
    assert code == 2
    assert out == ""
    assert err.startswith("nablab: ")
    assert err.count("\n") == 1
    assert said in err
    assert not list(Path().iterdir()), "nothing was run"


def test_an_interrupt_and_a_bug_have_their_codes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import nablab

    def failing(error: BaseException) -> object:
        def fail() -> None:
            raise error

        return fail

    monkeypatch.setattr(
        nablab, "catalog", failing(KeyboardInterrupt("interrupted; it goes on")), raising=False
    )
    assert run(capsys, "inspect") == (130, "", "nablab: interrupted; it goes on\n")
    monkeypatch.setattr(nablab, "catalog", failing(ZeroDivisionError("a\nb")), raising=False)
    code, _, err = run(capsys, "inspect")
    assert (code, err) == (1, "nablab: ZeroDivisionError: a b (--debug shows where)\n")
    with pytest.raises(ZeroDivisionError):
        main(["inspect", "--debug"])


def command(tmp_path: Path, words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of the shell, in a folder of its own; `nablab` is this one."""
    return subprocess.run(
        ["bash", "-c", f'nablab() {{ "{sys.executable}" -m nablab "$@"; }}; {words}'],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def test_a_reader_that_leaves_is_no_failure(tmp_path: Path) -> None:
    done = command(tmp_path, "( nablab inspect; echo $? >&2 ) | true")
    assert done.stderr == "0\n"


def test_what_is_to_be_written_is_written_also_when_nobody_reads(
    digits_results: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import nablab
    from nablab.cli.compare import finish

    folder = shutil.copytree(digits_results, tmp_path / "results")
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", encoding="utf-8") as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        assert finish(nablab.results(folder), OutputOptions(), notebook=False) == 0
    assert (folder / "report.html").exists()


def test_windows_is_told_about_wsl(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    code, out, err = run(capsys, "inspect")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "WSL" in err


@pytest.mark.parametrize(
    ("words", "function", "result"),
    [
        (["lesson", "run", "a"], "run_lessons", {"runs": [SimpleNamespace(notebook="a.ipynb", page="")]}),
        (["reproduce"], "reproduce", {"folder": Path("runs"), "failed": 1}),
        (["verify", "a.ipynb", "--csv", "a.csv"], "verify", {"csv": str, "html": str, "exit_code": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_reader_that_leaves_before_the_last_line_changes_no_exit_code(
    monkeypatch: pytest.MonkeyPatch, words: list[str], function: str, result: dict[str, object]
) -> None:
    import nablab

    read, write = os.pipe()
    readers = [read]
    show = OutputOptions.show

    def show_and_leave(self: OutputOptions, shown: Any, document: object) -> None:
        show(self, shown, document)
        if readers:
            os.close(readers.pop())

    done = SimpleNamespace(document=dict, ok=False, **result)
    monkeypatch.setattr(nablab, function, lambda *_, **__: done)
    monkeypatch.setattr(OutputOptions, "show", show_and_leave)
    with open(write, "w", encoding="utf-8") as left:
        monkeypatch.setattr(sys, "stdout", left)
        assert main(words) == 1


def test_a_closed_stdout_is_no_traceback(tmp_path: Path) -> None:
    done = command(tmp_path, "nablab inspect lenet5 >&-; echo $?; nablab inspect lenett >&-; echo $?")
    assert done.stdout == "0\n2\n"
    assert done.stderr.count("\n") == 1


def test_characters_that_stdout_lacks(tmp_path: Path) -> None:
    done = command(tmp_path, "nablab inspect lenet5", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "61,706" in done.stdout
    printing = "from nablab.cli.options import OutputOptions; OutputOptions(json=True).show('', ['±'])"
    done = command(tmp_path, f'"{sys.executable}" -c "{printing}"', PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout) == ["±"]


PRINTING = """
import os
import numpy as np
import torch

def say(text):
    print(text)  # Python
    os.write(1, f"{text} without Python\\n".encode())
    os.system(f"echo {text} in another process")

say("loaded")

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        say("built")
        self.layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))

    def forward(self, x):
        say("used")
        return self.layers(x)
"""

SQUARE = """
print("loaded")
def problem(rng):
    return {"w": rng.standard_normal(3)}, rng.standard_normal(3), 0.0
def loss(params, x, y):
    print("called")
    return ((params["w"] - x) ** 2).sum()
def gradient(params, x, y):
    return {"w": 2 * (params["w"] - x)}
"""


def test_json_is_all_of_stdout_whatever_a_users_code_prints(tmp_path: Path) -> None:
    """The commands run in one process, and their documents stand one after the other."""
    (tmp_path / "net.py").write_text(PRINTING, encoding="utf-8")
    (tmp_path / "square.py").write_text(SQUARE, encoding="utf-8")
    short = ("--data", "digits", "--epochs", "1", "--test-fraction", "0.1", "--quiet", "--json")
    commands = [
        ("inspect", "net.py:Net", "--data", "digits", "--json"),
        ("check", "square.py", "--json=true"),
        ("train", "net.py:Net", "--out", "one", *short),
        ("predict", "one", "picture.png", "--json"),
        ("compare", "net.py:Net", "--out", "two", "--seeds", "2", "--jobs", "2", "--no-notebook", *short),
    ]
    Image.new("L", (8, 8)).save(tmp_path / "picture.png")
    script = f"from nablab.cli import main\nprint([main(words) for words in {commands!r}])\n"
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    done = command(tmp_path, f'"{sys.executable}" script.py')
    read, rest = json.JSONDecoder(), done.stdout
    for _ in commands:
        _, end = read.raw_decode(rest)
        rest = rest[end:].lstrip()
    assert rest == "[0, 0, 0, 0, 0]\n"  # stdout is as it was
    for text in ("loaded", "built", "used", "called"):
        assert f"\n{text}\n" in f"\n{done.stderr}"
    for text in ("without Python", "in another process"):
        assert f"built {text}" in done.stderr
