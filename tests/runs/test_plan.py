import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nablab.data import load
from nablab.data.dataset import Dataset
from nablab.errors import UserError
from nablab.models.model import Model
from nablab.models.reference import resolve_all
from nablab.runs.execute import RunDone, execute
from nablab.runs.experiment import read_experiment
from nablab.runs.plan import DataReference, Plan, extend_plan, make_plan, read_plan, run_id, write_plan
from nablab.runs.planned import makespan
from nablab.training.recipe import Recipe

Network = Callable[..., Model]

ONE = Recipe(epochs=1, threads=1)

NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 10))
"""


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def plan_of(names: list[Any], out: Path, digits: Dataset, **options: Any) -> Plan:
    recipe = options.pop("recipe", Recipe(epochs=1))
    return make_plan(resolve_all(names), digits, recipe, out=out, data=DataReference("digits"), **options)


def test_runs_are_every_model_fraction_and_seed(tmp_path: Path, digits: Dataset) -> None:
    plan = plan_of(["K", "8-ReLU-K"], tmp_path / "out", digits, fractions=[0.1, 1], seeds=2)
    assert [run.id for run in plan.runs] == [
        "k-f0.1-s0", "8-relu-k-f0.1-s0", "k-f0.1-s1", "8-relu-k-f0.1-s1",
        "k-f1-s0", "8-relu-k-f1-s0", "k-f1-s1", "8-relu-k-f1-s1",
    ]  # fmt: skip
    assert [run.recipe.seed for run in plan.runs] == [0, 0, 1, 1] * 2
    assert {run.recipe.split_seed for run in plan.runs} == {0}


def test_seeds_count_from_the_recipes(tmp_path: Path, digits: Dataset) -> None:
    assert plan_of(["K"], tmp_path / "a", digits, recipe=Recipe(seed=5), seeds=2).seeds == (5, 6)
    assert plan_of(["K"], tmp_path / "b", digits, seeds=[7, 3]).seeds == (7, 3)


def test_test_images_are_the_same_whatever_the_seed_draws(tmp_path: Path, digits: Dataset) -> None:
    with pytest.raises(UserError, match="would draw other test images for each seed"):
        plan_of(["K"], tmp_path / "out", digits, seeds=2, resample=True, test_fraction=0.5)


def test_seeds_beyond_counting_are_refused(tmp_path: Path, digits: Dataset) -> None:
    with pytest.raises(UserError, match="how many"):
        plan_of(["K"], tmp_path / "out", digits, seeds=10**23)


def test_the_plan_decides_what_was_left_open(tmp_path: Path, digits: Dataset) -> None:
    plan = plan_of(["K"], tmp_path / "out", digits)
    assert plan.fractions == (1.0,)
    assert plan.recipe.device in ("cpu", "cuda", "mps")
    assert plan.recipe.threads >= 1


def test_a_slice_is_the_fraction_that_it_is(tmp_path: Path, squares: Dataset, network: Network) -> None:
    part = replace(squares, train_total=1200)
    assert make_plan([network()], part, Recipe(), out=tmp_path / "out").fractions == (0.1,)


@pytest.mark.parametrize(
    ("label", "fraction", "name"),
    [
        ("lenet", 1.0, "lenet-f1-s0"),
        ("32c3-bn-k", 0.01, "32c3-bn-k-f0.01-s0"),
        ("a", 0.00001, "a-f0.00001-s0"),
        ("3x(8C3-K)", 1 / 3, "3x(8C3-K)-f0.3333333333333333-s0"),
    ],
)
def test_ids_are_readable(label: str, fraction: float, name: str) -> None:
    assert run_id(label, fraction, 0) == name


def test_ids_are_names_of_folders_and_differ() -> None:
    odd = ["a/b", "a:b", "a b", "ä b", "x" * 300, "x" * 301]
    ids = [run_id(label, 1.0, 0) for label in odd]
    assert len(set(ids)) == len(odd)
    for name in ids:
        assert len(name) < 120
        assert not set(name) & set('/\\:*?"<>| ')


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"fractions": [0]}, "fraction 0 must be above 0"),
        ({"fractions": [1.5]}, "fraction 1.5 must be"),
        ({"fractions": [float("nan")]}, "fraction nan must be"),
        ({"fractions": [0.5, 0.5]}, "comes twice"),
        ({"fractions": []}, "no fractions"),
        ({"seeds": 0}, "leaves none"),
        ({"seeds": [1, 1]}, "comes twice"),
        ({"seeds": [-1]}, "whole number from 0"),
        ({"jobs": 0}, "jobs must be"),
        ({"budget_seconds": 0}, "leaves no time"),
        ({"test_fraction": 2.0}, "fraction"),
        ({"recipe": Recipe(augmentation="spin")}, "spin"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, digits: Dataset, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        plan_of(["K"], tmp_path / "out", digits, **options)
    assert not (tmp_path / "out").exists()


def test_a_network_that_does_not_fit_is_refused(tmp_path: Path, digits: Dataset) -> None:
    with pytest.raises(UserError, match="MaxPool16"):
        plan_of(["K", "8C3-MaxPool16-K"], tmp_path / "out", digits)


def test_two_models_of_one_label_are_refused(tmp_path: Path, squares: Dataset, network: Network) -> None:
    with pytest.raises(UserError, match="two models are called lin"):
        make_plan([network(), network()], squares, Recipe(), out=tmp_path / "out")


def test_live_models_stay_in_this_process(tmp_path: Path, squares: Dataset, network: Network) -> None:
    live = [network("a", live=True), network("b")]
    assert make_plan(live, squares, Recipe(), out=tmp_path / "out", jobs="auto").jobs == 1
    with pytest.raises(UserError, match="cannot be sent to another process"):
        make_plan(live, squares, Recipe(), out=tmp_path / "out", jobs=2)


@pytest.mark.parametrize(
    ("names", "options", "jobs", "threads"),
    [
        (["K", "8-ReLU-K"], {}, 2, 2),
        (["K"], {}, 1, 4),
        (["K"], {"seeds": 9}, 4, 1),
        (["K", "knn"], {}, 2, 2),
        (["K", "512C3-ReLU-512C3-ReLU-K"], {}, 1, 4),
        (["K", "8-ReLU-K"], {"recipe": Recipe(threads=4)}, 1, 4),
        (["K", "8-ReLU-K"], {"jobs": 1}, 1, 4),
        (["K"], {"jobs": 3, "seeds": 9}, 3, 1),
        (["K"], {"jobs": 64, "seeds": 2}, 2, 2),
        (["K"], {"jobs": 3}, 1, 4),
    ],
)
def test_small_networks_run_together_with_a_core_each(
    tmp_path: Path,
    digits: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    options: dict[str, Any],
    jobs: int,
    threads: int,
) -> None:
    monkeypatch.setattr("nablab.runs.concurrency.usable_cores", lambda: 4)
    plan = plan_of(names, tmp_path / "out", digits, **options)
    assert (plan.jobs, plan.recipe.threads) == (jobs, threads)


def test_little_memory_means_one_at_a_time(
    tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nablab.runs.concurrency.usable_cores", lambda: 4)
    monkeypatch.setattr("nablab.runs.concurrency.memory_bytes", lambda: 2**30)
    assert plan_of(["K", "8-ReLU-K"], tmp_path / "out", digits).jobs == 1


@pytest.mark.parametrize(
    ("tasks", "jobs", "total"),
    [([1, 2, 3], 1, 6), ([1, 1, 1, 1], 2, 2), ([2, 1, 1], 2, 2), ([1, 1, 5], 2, 6), ([], 2, 0)],
)
def test_makespan(tasks: list[float], jobs: int, total: float) -> None:
    assert makespan(tasks, jobs) == total


def test_a_plan_comes_back_from_its_folder(tmp_path: Path, digits: Dataset) -> None:
    plan = plan_of(["K", "knn"], tmp_path / "out", digits, fractions=[0.2], seeds=2, resample=True, jobs=2)
    write_plan(plan)
    read = read_plan(tmp_path / "out")
    assert read.runs == plan.runs
    assert [model.label for model in read.models] == ["k", "knn"]
    assert (read.jobs, read.resample, read.data) == (2, True, plan.data)
    assert read.dataset.fingerprint == digits.fingerprint


def test_the_experiment_repeats_the_plan(tmp_path: Path, digits: Dataset) -> None:
    recipe = Recipe(epochs=3, lr=0.01, augmentation="flip")
    plan = plan_of(
        ["K", "knn"], tmp_path / "out", digits, recipe=recipe, fractions=[0.2], seeds=[4, 9], jobs=2
    )
    write_plan(plan)
    asked = read_experiment(tmp_path / "out" / "experiment.toml")
    again = make_plan(
        resolve_all(asked.models),
        asked.data_reference.load("it"),
        Recipe.from_dict(asked.recipe),
        out=tmp_path / "again",
        fractions=asked.fractions,
        seeds=asked.seeds,
        test_fraction=asked.test_fraction,
        resample=asked.resample,
        jobs=asked.jobs,
        data=asked.data_reference,
    )
    assert again.runs == plan.runs
    assert again.data == plan.data


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("model = ['lenet']", "no 'model'; did you mean models"),
        ("models = 3", "models"),
        ("seeds = 'two'", "seeds"),
        ("[recipe]\nlearning_rate = 1", "no 'learning_rate'"),
        ("[recipe]\nlr = -1", "lr must be a positive number"),
        ("models = [", "experiment.toml"),
        ("[data]\nname = 3", r"experiment\.toml: data\.name must be a text, not 3"),
        ('[data]\nsize = "28"', r"data\.size must be a whole number, not '28'"),
        ("[data]\ncolour = 3", "data has no 'colour'; did you mean color"),
        ("live_models = ['__main__.Net']", "came from a Python session"),
        ("[data]\nname = ''", "made in Python"),
    ],
)
def test_what_is_wrong_in_an_experiment_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=complaint):
        read_experiment(path)


def test_an_experiment_may_say_little(tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text("models = ['lenet']\nseeds = 3\n[data]\nname = 'photos'\nsize = 32\n")
    asked = read_experiment(tmp_path / "e.toml")
    assert (asked.models, asked.seeds, asked.jobs, asked.fractions) == (("lenet",), 3, "auto", None)
    assert asked.data_reference == DataReference("photos", {"size": 32})


def test_a_folder_that_holds_something_is_refused(tmp_path: Path, digits: Dataset) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match="is not empty"):
        plan_of(["K"], tmp_path, digits)
    with pytest.raises(UserError, match="is a file"):
        plan_of(["K"], tmp_path / "notes.txt", digits)
    write_plan(plan_of(["K"], tmp_path / "out", digits))
    with pytest.raises(UserError, match="--resume"):
        plan_of(["K"], tmp_path / "out", digits)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "no comparison in"),
        ("{", "cannot read"),
        ("[]", "is not a plan"),
        ('{"schema": 9}', "newer nablab"),
    ],
)
def test_a_folder_without_a_readable_plan(tmp_path: Path, content: str | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "plan.json").write_text(content)
    with pytest.raises(UserError, match=complaint):
        read_plan(tmp_path)


def test_changed_data_is_refused(tmp_path: Path, digits: Dataset) -> None:
    write_plan(plan_of(["K"], tmp_path / "out", digits))
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    plan["data"]["fingerprint"] = "f" * 64
    (tmp_path / "out" / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(UserError, match="digits has changed since"):
        read_plan(tmp_path / "out")


def test_data_made_in_python_has_to_be_given_again(
    tmp_path: Path, squares: Dataset, network: Network
) -> None:
    plan = make_plan([network(live=True)], squares, Recipe(), out=tmp_path / "out")
    write_plan(plan)
    with pytest.raises(UserError, match="given its data in Python"):
        read_plan(tmp_path / "out")
    with pytest.raises(UserError, match=r"lin in .* is a class or object of a Python session"):
        read_plan(tmp_path / "out", dataset=squares)
    assert read_plan(tmp_path / "out", dataset=squares, models=plan.models).runs == plan.runs


def test_a_changed_source_file_is_refused_once_it_has_run(tmp_path: Path, digits: Dataset) -> None:
    source = tmp_path / "net.py"
    source.write_text(NET)
    plan = plan_of([f"{source}:Net"], tmp_path / "out", digits, recipe=ONE, jobs=1)
    list(execute(plan))
    read_plan(tmp_path / "out")
    source.write_text(NET.replace("nn.Flatten()", "nn.Flatten(), nn.Tanh()"))
    with pytest.raises(UserError, match=r"net\.py:Net has changed since"):
        read_plan(tmp_path / "out")


def test_a_file_that_was_mended_after_its_run_failed_is_tried_again(tmp_path: Path, digits: Dataset) -> None:
    source = tmp_path / "net.py"
    broken = (
        NET + "    def forward(self, x):\n        return super().forward(x) if not self.training else 1 / 0\n"
    )
    source.write_text(broken)
    plan = plan_of([f"{source}:Net"], tmp_path / "out", digits, recipe=ONE, jobs=1)
    assert "ZeroDivisionError" in list(execute(plan))[-1].failure.message
    source.write_text(NET)
    assert isinstance(list(execute(read_plan(tmp_path / "out"), resume=True))[-1], RunDone)


def test_a_model_added_runs_beside_the_others(tmp_path: Path, digits: Dataset) -> None:
    plan = plan_of(["K"], tmp_path / "out", digits, recipe=ONE, fractions=[0.5], seeds=2, jobs=1)
    list(execute(plan))
    extended = extend_plan(read_plan(tmp_path / "out"), resolve_all(["8-ReLU-K"]))
    events = list(execute(extended, resume=True))
    assert [event.run for event in events if event.kind == "skipped"] == ["k-f0.5-s0", "k-f0.5-s1"]
    assert [event.run for event in events if event.kind == "done"] == ["8-relu-k-f0.5-s0", "8-relu-k-f0.5-s1"]
    assert [model.label for model in read_plan(tmp_path / "out").models] == ["k", "8-relu-k"]
    with pytest.raises(UserError, match="has a k already"):
        extend_plan(extended, resolve_all(["K"]))


def test_an_edited_experiment_is_neither_ignored_nor_lost(tmp_path: Path, digits: Dataset) -> None:
    write_plan(plan_of(["K"], tmp_path / "out", digits, recipe=ONE, fractions=[0.5], seeds=2, jobs=1))
    path = tmp_path / "out" / "experiment.toml"
    text = path.read_text()
    for before, after, name in (
        ("epochs = 1", "epochs = 30", "epochs"),
        ('"K",', '"K", "8-ReLU-K",', "models"),
        ("    1,", "    1, 2,", "seeds"),
    ):
        path.write_text(text.replace(before, after))
        with pytest.raises(UserError, match=rf"was edited: {name} is not as planned.*--config {path}"):
            read_plan(tmp_path / "out", dataset=digits)
    path.write_text(text.replace("epochs = 1", "epochs = "))
    with pytest.raises(UserError, match="delete it to go on"):
        read_plan(tmp_path / "out", dataset=digits)
    path.write_text("# a note\n" + text.replace("tta = ", "# tta = "))  # as an earlier nablab wrote it
    read_plan(tmp_path / "out", dataset=digits)
    path.unlink()
    read_plan(tmp_path / "out", dataset=digits)


def test_what_another_process_added_meanwhile_is_not_lost(tmp_path: Path, digits: Dataset) -> None:
    write_plan(plan_of(["K"], tmp_path / "out", digits, recipe=ONE, fractions=[0.1], seeds=1, jobs=1))
    late = extend_plan(read_plan(tmp_path / "out", dataset=digits), resolve_all(["8-ReLU-K"]))
    early = extend_plan(read_plan(tmp_path / "out", dataset=digits), resolve_all(["4-ReLU-K"]))
    assert any(isinstance(event, RunDone) for event in execute(early, resume=True))
    with pytest.raises(UserError, match="another process has added 4-relu-k to"):
        list(execute(late, resume=True))
    assert len(read_plan(tmp_path / "out", dataset=digits).models) == 2
