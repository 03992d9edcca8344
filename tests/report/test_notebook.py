"""The delivery: run in a fresh kernel, complete, numbered, silent about this machine."""

from __future__ import annotations

import ast
import re
import signal
import sys
import tempfile
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

import nablab
from nablab.analysis.results import load_results
from nablab.errors import NablabError, UserError
from nablab.models.model import SourceFile
from nablab.report.notebook import (
    _arguments,
    _data_expression,
    _relative,
    make_notebook,
    source_files,
    write_notebook,
)
from nablab.report.notebook_cells import Cell, Material, cells
from nablab.report.notebook_pictures import data_figure
from nablab.report.notebook_run import execute, machine_paths, scrub
from nablab.report.view import comparison_view
from nablab.report.words import number
from nablab.runs.experiment import Experiment, read_experiment


@pytest.fixture(scope="module")
def folder(factory, tmp_path_factory):
    """A network, an estimator and a user's module whose file is gone."""
    folder = tmp_path_factory.mktemp("work") / "results"
    models = [factory.BIG, factory.NEAREST, factory.OWN]
    return factory.write_comparison(folder, models, seeds=(0, 1))


@pytest.fixture(scope="module")
def path(folder):
    path = folder.parent / "hand in" / "delivery.ipynb"
    write_notebook(folder, path)
    return path


@pytest.fixture(scope="module")
def notebook(path):
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook, kind):
    return [
        output.data[kind]
        for cell in code_cells(notebook)
        for output in cell.outputs
        if kind in output.get("data", {})
    ]


def test_it_is_a_valid_notebook_that_editors_open(notebook):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec == {
        "name": "python3", "display_name": "Python 3", "language": "python"
    }  # fmt: skip
    assert notebook.metadata.language_info.name == "python"
    assert notebook.metadata.language_info.file_extension == ".py"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_cells_are_numbered_from_1(notebook):
    assert [cell.execution_count for cell in code_cells(notebook)] == list(
        range(1, len(code_cells(notebook)) + 1)
    )


def test_every_cell_ran_without_an_error_or_a_warning(notebook):
    for cell in code_cells(notebook):
        assert [o for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"] == []


def test_no_machine_path_is_anywhere_in_it(path):
    text = path.read_text(encoding="utf-8")
    pictures = re.sub(r'"image/png": "[^"]*"', "", text)
    for place in (tempfile.gettempdir(), str(Path.home()), str(Path.cwd()), sys.prefix, "/home/"):
        assert place not in pictures
    assert 'nablab.results(\\"../results\\")' in text


def test_pictures_are_inside(notebook, path, folder):
    view = comparison_view(load_results(folder))
    per_model = sum(len(section.curves) + 2 for section in view.sections)  # curves, matrix, mistakes
    assert len(outputs(notebook, "image/png")) == per_model + 5  # samples, all curves twice, two scatters
    assert len(outputs(notebook, "image/svg+xml")) == 2
    assert "src=" not in path.read_text(encoding="utf-8")


def test_what_it_says_is_what_the_records_say(notebook, folder):
    view = comparison_view(load_results(folder))
    said = "\n".join(outputs(notebook, "text/markdown")).replace("\\", "")
    assert view.headline in said
    for row in view.rows:
        for value in (row.parameters, row.macs, row.flops):
            assert value is None or number(value) in said
        for cell in row.cells:
            assert f"{100 * cell.accuracy:.1f}" in said
    for note in view.notes:
        assert note in said


def test_each_network_is_defined_by_its_layer_string_table_and_module(notebook):
    sources = [cell.source for cell in code_cells(notebook)]
    assert any(source.startswith('spec = nablab.spec("8C5p0-ReLU-MaxPool2-K")') for source in sources)
    assert any("208" in html and "12,800" in html for html in outputs(notebook, "text/html"))
    assert any("Conv2d(1, 8, kernel_size=(5, 5)" in text for text in outputs(notebook, "text/plain"))


def test_the_course_s_explanations_are_left_to_the_student(notebook):
    prompts = [cell.source for cell in notebook.cells if "✍ **Your answer**" in cell.source]
    assert len(prompts) == 6
    assert any("your own" in prompt for prompt in prompts)
    assert any("overfit" in prompt for prompt in prompts)


def material(folder, **changes):
    view = comparison_view(load_results(folder))
    return replace(Material(view, "results", "", {}, {}), **changes)


def test_every_code_cell_is_python(folder):
    training = {"models": ["lenet", "a.py:B"], "seeds": 2, "optimizer": "sgd", "out": "x"}
    for given in ({}, {"data": 'nablab.load("digits")', "training": training}):
        for cell in cells(material(folder, **given)):
            if cell.kind == "code":
                ast.parse("\n".join(line for line in cell.source.splitlines() if not line.startswith("%")))


def test_the_title_shows_the_data_s_name_as_it_is(folder):
    view = replace(material(folder).view, title="my_*photos*_[x](y) &lt;")
    title = cells(material(folder, view=view))[0].source.splitlines()[0]
    assert title == r"# my\_\*photos\*\_\[x\](y) \&lt;"


def test_training_inside_comes_before_anything_reads_its_results(folder):
    training = {"models": ["lenet"], "seeds": 2, "optimizer": "sgd", "out": "x"}
    sources = [cell.source for cell in cells(material(folder, data="nablab.load('x')", training=training))]
    first = next(k for k, source in enumerate(sources) if re.search(r"\bview\b", source))
    (call,) = [k for k, source in enumerate(sources) if "nablab.compare(" in source]
    assert call < first
    assert 'optimizer="sgd",' in sources[call]
    assert not any("nablab.results" in source for source in sources)


def test_a_user_s_file_is_shown_where_it_is_what_was_trained(factory, tmp_path):
    code = tmp_path / "code" / "my_net.py"
    code.parent.mkdir()
    code.write_text("class MyNet: ...\n")
    digest = sha256(code.read_bytes()).hexdigest()
    own = replace(factory.OWN, source_file=SourceFile(str(code), digest), reference=f"{code}:MyNet")
    folder = factory.write_comparison(tmp_path / "results", [own], seeds=(0,))
    assert source_files(load_results(folder), tmp_path) == {"MyNet": "code/my_net.py"}
    shown = "\n".join(cell.source for cell in cells(material(folder, source_files={"MyNet": "my_net.py"})))
    assert 'print(Path("my_net.py").read_text())' in shown
    assert 'nablab.inspect("my_net.py:MyNet", input_shape=(1, 12, 12), classes=4, latency=False)' in shown
    code.write_text("class MyNet: changed = True\n")
    assert source_files(load_results(folder), tmp_path) == {}


@pytest.mark.parametrize("place", ['Anna\'s "best" pictures', "back\\slash", "~/photos", "Digits"])
def test_data_is_loaded_again_whatever_its_place_is_called(folder, tmp_path, monkeypatch, place):
    monkeypatch.setenv("HOME", str(tmp_path))
    view = comparison_view(load_results(folder))
    asked = []

    def load(name, **options):
        asked.append((name, options))
        return SimpleNamespace(fingerprint=view.data.fingerprint)

    monkeypatch.setattr("nablab.data.load", load)
    options = {"group": "it's \\d", "size": 12}
    experiment = Experiment(data={"name": place} | options)
    written = _data_expression(view, experiment, Path.cwd(), needed=False)
    eval(written, {"nablab": SimpleNamespace(load=load)})
    assert asked == [(place, options), (place, options)]


def test_no_path_leads_through_the_folders_above_the_home(factory, folder, tmp_path, monkeypatch):
    home = tmp_path / "home" / "anna"
    monkeypatch.setenv("HOME", str(home))
    (home / "code").mkdir(parents=True)
    code = home / "code" / "my_net.py"
    code.write_text("import torch\n\n\nclass MyNet(torch.nn.Module): ...\n")
    digest = sha256(code.read_bytes()).hexdigest()
    own = replace(factory.OWN, source_file=SourceFile(str(code), digest), reference=f"{code}:MyNet")
    results = load_results(factory.write_comparison(home / "results", [own], seeds=(0,)))
    experiment = Experiment(data={"name": str(home / "photos")})
    view = comparison_view(results)
    given = SimpleNamespace(fingerprint=view.data.fingerprint)
    monkeypatch.setattr("nablab.data.load", lambda *_, **__: given)

    def named(beside):
        files = source_files(results, beside)
        data = _data_expression(view, experiment, beside, needed=False)
        return data, files["MyNet"], _relative(home / "results", beside)

    assert named(home / "hand in") == ('nablab.load("../photos")', "../code/my_net.py", "../results")
    away = ('nablab.load("~/photos")', "~/code/my_net.py", "~/results")
    assert named(tmp_path / "elsewhere") == away
    assert len(nablab.results(away[2]).results.runs) == 1
    (shown,) = [
        cell.source
        for cell in cells(Material(view, away[2], "", {"MyNet": away[1]}, {}))
        if "print(" in cell.source
    ]
    exec(f"from pathlib import Path\n{shown}")


def test_a_failing_cell_is_named_and_nothing_is_written(tmp_path):
    notebook = make_notebook([Cell("markdown", "# x"), Cell("code", "1"), Cell("code", "1 / 0")])
    with pytest.raises(NablabError, match="cell 2 failed: ZeroDivisionError: division by zero"):
        execute(notebook, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_it_and_its_kernel(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import time\ntime.sleep(60)")])
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        execute(notebook, tmp_path, on_cell=lambda _: signal.raise_signal(signal.SIGINT))
    assert time.monotonic() - started < 30


def test_scrubbing_reaches_texts_and_leaves_pictures(tmp_path):
    notebook = make_notebook([Cell("code", "1")])
    place = str(tmp_path / "a.py")
    notebook.cells[0].outputs = [
        nbformat.v4.new_output("stream", name="stderr", text=f"{place}: warning"),
        nbformat.v4.new_output("display_data", {"text/html": f"<p>{place}</p>", "image/png": f"{tmp_path}"}),
    ]
    scrub(notebook, machine_paths(tmp_path))
    stream, shown = notebook.cells[0].outputs
    assert stream.text == "./a.py: warning"
    assert shown.data == {"text/html": "<p>./a.py</p>", "image/png": str(tmp_path)}


def test_training_inside_refuses_what_it_cannot_repeat(factory, tmp_path):
    folder = factory.write_comparison(tmp_path / "results", [factory.BIG], seeds=(0,), name="digits")
    blocked = tmp_path / "mine-runs"
    blocked.mkdir()
    (blocked / "x").touch()
    with pytest.raises(UserError, match="mine-runs is not empty"):
        write_notebook(folder, tmp_path / "mine.ipynb", train=True)
    experiment = folder / "experiment.toml"
    experiment.write_text('live_models = ["Net"]\n' + experiment.read_text())
    with pytest.raises(UserError, match="came from a Python session"):
        write_notebook(folder, tmp_path / "other.ipynb", train=True)
    experiment.unlink()
    with pytest.raises(UserError, match=r"experiment\.toml"):
        write_notebook(folder, tmp_path / "other.ipynb", train=True)
    assert not list(tmp_path.glob("*.ipynb"))


def test_training_inside_runs_no_more_at_a_time_than_there_are_runs(factory, tmp_path):
    folder = factory.write_comparison(tmp_path / "results", [factory.BIG], fractions=(1.0,), seeds=(0, 1))
    for asked, written in (("64", 2), ("1", 1), ('"auto"', "auto")):
        path = folder / "experiment.toml"
        path.write_text(re.sub(r"(?m)^jobs = .*$", f"jobs = {asked}", path.read_text()))
        experiment = read_experiment(path)
        runs = len(load_results(folder).runs)
        assert _arguments(experiment, tmp_path / "mine.ipynb", runs)["jobs"] == written


@pytest.mark.slow
def test_training_inside_really_trains(factory, tmp_path):
    linear = replace(factory.LINEAR, label="net_linear", reference="net_linear")
    folder = factory.write_comparison(
        tmp_path / "results", [linear], fractions=(1.0,), seeds=(0, 1), name="digits"
    )
    experiment = folder / "experiment.toml"  # of a version that wrote down what it was asked for
    experiment.write_text(re.sub(r"(?m)^jobs = .*$", "jobs = 64", experiment.read_text()))
    path = tmp_path / "trained.ipynb"
    write_notebook(folder, path, train=True)
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    results = load_results(tmp_path / "trained-runs")
    assert [run.seed for run in results.done("net_linear", 1.0)] == [0, 1]
    assert results.runs[0].record.data.name == "digits"
    assert results.runs[0].record.environment.jobs == 2
    said = "\n".join(outputs(notebook, "text/markdown")).replace("\\", "")
    assert comparison_view(results).headline in said
    assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_the_data_of_many_classes_is_drawn_in_a_few_pictures():
    y = np.arange(300) % 100
    x = np.zeros((300, 1, 4, 4), np.uint8)
    dataset = nablab.make_dataset("many", x, y, x, y, [f"c{k}" for k in range(100)], source="drawn")
    titles = [axes.get_title() for axes in data_figure(dataset).axes]
    assert titles == [f"c{k}" for k in range(60)]
    few = nablab.make_dataset("few", x, y % 3, x, y % 3, "abc", source="drawn")
    assert [axes.get_title() for axes in data_figure(few).axes] == list("aabbcc")
