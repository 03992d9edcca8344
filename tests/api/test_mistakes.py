"""What is no path, no data, no number: one line that says what is needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nablab.errors import UserError

#: What its types say is exactly what these tests do not keep to.
nablab: Any = import_module("nablab")

ARRAY = np.zeros((3, 4))


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: nablab.load(ARRAY), "given as ndarray; .*make_dataset"),
        (lambda: nablab.load((ARRAY, [0, 1, 2])), "given as tuple"),
        (lambda: nablab.load(None), "given as NoneType"),
        (lambda: nablab.plan("mlp", ARRAY), "given as ndarray"),
        (lambda: nablab.inspect("mlp", ARRAY), "given as ndarray"),
        (lambda: nablab.gradcheck("mlp", data=ARRAY), "given as ndarray"),
        (lambda: nablab.plan("mlp", "digits", test_fraction="1"), "test_fraction must be a number .*not '1'"),
        (lambda: nablab.plan("mlp", "digits", out=5), "5 is no path; give out"),
        (lambda: nablab.plan("mlp", "digits", config=5), "5 is no path; give config"),
        (lambda: nablab.results(3), "3 is no path; give the folder of results"),
        (lambda: nablab.list_runs(3), "3 is no path"),
        (lambda: nablab.show_run(3), "3 is no path"),
        (lambda: nablab.delete_run(3), "3 is no path"),
        (lambda: nablab.resume(3), "3 is no path"),
        (lambda: nablab.inspect("mlp", classes=0), "classes must be a whole number above 0, not 0"),
        (lambda: nablab.inspect("mlp", input_shape=(1, 8, 8), classes=2.5), "not 2.5"),
        (lambda: nablab.inspect("mlp", input_shape=784), "input_shape must be .*not 784"),
        (lambda: nablab.inspect("mlp", input_shape=(1, 0, 8)), "input_shape must be"),
        (lambda: nablab.load(""), "name of the data is empty"),
        (lambda: nablab.train("mlp", "digits", init=5), "5 is no path; give init"),
        (
            lambda: nablab.plan("mlp", "digits", jobs="2"),
            "jobs must be a whole number from 1, or auto, not '2'",
        ),
        (lambda: nablab.plan("mlp", "digits", epochs="3"), "epochs must be a whole number, not '3'"),
        (lambda: nablab.plan("mlp", "digits", fractions="0.1"), "fraction '0.1' must be"),
        (lambda: nablab.plan("mlp", "digits", fractions=True), "fraction True must be"),
        (lambda: nablab.plan("mlp", "digits", fractions=[float("nan")]), "fraction nan must be"),
        (lambda: nablab.plan("mlp", "digits", seeds=True), "seed True must be"),
        (lambda: nablab.plan("mlp", "digits", seeds=[0, 0]), "0, 0: one comes twice"),
        (
            lambda: nablab.plan("mlp", "digits", seeds=[2**32]),
            "seed must be from 0 to 4294967295, not 4294967296",
        ),
        (lambda: nablab.plan("mlp", "digits", seed=2**32 - 1, seeds=2), "seed must be from 0 to 4294967295"),
        (lambda: nablab.plan("mlp", "digits", split_seed=2**32), "split_seed must be from 0 to 4294967295"),
        (lambda: nablab.plan("mlp", "digits", test_fraction=True), "test_fraction must be a number"),
        (lambda: nablab.plan("mlp", "digits", resample="no"), "resample must be True or False, not 'no'"),
        (lambda: nablab.plan("mlp", "digits", recipe="fast"), "recipe must be a nablab.Recipe.*as preset"),
        (lambda: nablab.plan("mlp", "digits", preset=5), "5 is no text; give the name of a preset"),
        (lambda: nablab.plan("mlp", "digits", threads=-1), "threads must be 0 or more, not -1"),
        (lambda: nablab.plan("mlp", "digits", budget=-1), "-1 must be a time above 0"),
        (lambda: nablab.preset(["fast"]), r"no preset \['fast'\]"),
        (lambda: nablab.spec(5), "5 is no text; give a name of the catalog, or layers"),
        (lambda: nablab.fetch(5), "5 is no text; give the name of a data set"),
        (lambda: nablab.import_data(None), "None is no text"),
        (lambda: nablab.import_data("sign-digits", 5), "5 is no path; give a file to import"),
        (lambda: nablab.prepare(5), "5 is no path"),
        (lambda: nablab.check_data(5), "5 is no path; give the data"),
        (lambda: nablab.check_data("digits", 5), "5 is no path; give a folder of runs"),
        (lambda: nablab.leaderboard(5), "5 is no path; give a folder of runs"),
        (lambda: nablab.verify(5), "5 is no path; give a notebook"),
        (lambda: nablab.plan_reproduction(5), "5 is no text"),
        (lambda: nablab.plan_reproduction(rows=5), "5 is no text; give the name of a published row"),
        (lambda: nablab.plan_reproduction(fractions="0.1"), "fraction '0.1' must be"),
        (lambda: nablab.plan_reproduction(rows=["lenet"], seeds=[0, 1]), "seeds must be how many"),
        (lambda: nablab.open_lesson(5), "5 is no text; give the letter of a lab"),
        (lambda: nablab.run_lessons(5), "5 is no text; give the letter of a lab"),
        (lambda: nablab.ladder("mlp", "digits", steps="3"), "steps must be a whole number from 1, not '3'"),
        (lambda: nablab.ladder("mlp", "digits", lr="1"), "lr must be a number, not '1'"),
    ],
)
def test_a_mistake_is_one_line(mistake: Callable[[], Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        mistake()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("write", ["report", "notebook", "csv", "latex", "markdown"])
def test_what_is_written_needs_a_path(write: str, digits_results: Path) -> None:
    with pytest.raises(UserError, match="5 is no path; give the file to write"):
        getattr(nablab.results(digits_results), write)(5)


def test_runs_and_data_of_other_kinds_are_refused(digits_results: Path) -> None:
    run = digits_results / "runs" / "mlp-f1-s0"
    with pytest.raises(UserError, match="5 is no path; give the file to write"):
        nablab.export(run, 5, format="safetensors")
    with pytest.raises(UserError, match="given as int; give what nablab"):
        nablab.export(run, format="safetensors", dataset=5)
    with pytest.raises(UserError, match="given as int; give what nablab"):
        nablab.resume(digits_results, dataset=5)


def test_on_windows_the_library_says_where_it_runs() -> None:
    on_windows = "import sys; sys.modules['fcntl'] = None; import nablab; nablab.compare('mlp', 'digits')"
    done = subprocess.run([sys.executable, "-c", on_windows], capture_output=True, text=True, check=False)
    assert done.stderr.strip().endswith(
        "UserError: nablab runs on Linux and macOS; on Windows, install and run it inside of WSL"
    )


def test_numbers_of_numpy_are_numbers() -> None:
    plan = nablab.plan("net_linear", "digits", test_fraction=np.float32(0.5), epochs=1, out="somewhere")
    assert type(plan.plan.test_fraction) is float
    plan = nablab.plan(
        "net_linear",
        "digits",
        fractions=np.array([0.1, 0.5], np.float32),
        seeds=np.array([3, 4]),
        jobs=np.int64(1),
        resample=np.True_,
        epochs=np.array(1),
        nesterov=np.False_,
        out="somewhere",
    ).plan
    assert (plan.fractions, plan.seeds, plan.jobs) == ((float(np.float32(0.1)), 0.5), (3, 4), 1)
    assert (plan.resample, plan.recipe.epochs, plan.recipe.nesterov) == (True, 1, False)
    assert nablab.plan("net_linear", "digits", fractions=0.5, seeds=1, epochs=1).plan.fractions == (0.5,)
    shown = nablab.inspect("mlp", input_shape=tuple(np.array([1, 8, 8])), classes=np.int64(3), latency=False)
    assert (shown.input_shape, shown.classes) == ((1, 8, 8), 3)


def test_results_go_to_the_home_and_not_to_a_folder_called_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert nablab.plan("net_linear", "digits", epochs=1, out="~/results").plan.out == tmp_path / "results"
