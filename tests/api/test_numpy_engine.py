"""`numpy:` models beside their PyTorch twins, through everything that a user calls."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nablab
from nablab.autograd import parallel
from nablab.errors import UserError
from nablab.models.reference import resolve
from nablab.runs.execute import execute
from nablab.runs.plan_file import read_plan
from nablab.runs.predict import load_predictor
from nablab.runs.store import RunFolder
from nablab.runs.threads import computing_with

TWINS = ["mlp", "numpy:mlp", "4C3-ReLU-MaxPool2-K", "numpy:4C3-ReLU-MaxPool2-K"]
LABELS = {"mlp": "mlp-numpy", "4c3-relu-maxpool2-k": "4c3-relu-maxpool2-k-numpy"}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("numpy") / "out"
    nablab.compare(
        TWINS, "digits", seeds=1, epochs=2, optimizer="sgd", lr=0.05, jobs=1, out=out, progress=False
    )
    return out


def run_of(compared: Path, label: str) -> RunFolder:
    return RunFolder(compared / "runs" / f"{label}-f1-s0")


@pytest.mark.parametrize("label", LABELS)
def test_twins_are_measured_alike(compared: Path, label: str) -> None:
    theirs, ours = run_of(compared, label), run_of(compared, LABELS[label])
    for expected, found in zip(theirs.metrics(), ours.metrics(), strict=True):
        for name in ("running_loss", "train_loss", "validation_loss", "test_loss"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-4), name
    np.testing.assert_allclose(ours.predictions().scores, theirs.predictions().scores, atol=1e-3)
    np.testing.assert_array_equal(ours.predictions().indices, theirs.predictions().indices)


@pytest.mark.parametrize("label", LABELS)
def test_records_differ_in_the_engine_only(compared: Path, label: str) -> None:
    theirs, ours = run_of(compared, label).record(), run_of(compared, LABELS[label]).record()
    assert (theirs.model.engine, ours.model.engine) == ("torch", "numpy")
    assert ours.model.reference == f"numpy:{theirs.model.reference}"
    assert ours.model.detail.endswith(", on NumPy")
    for name in ("kind", "spec", "parameters", "macs", "layers"):
        assert getattr(ours.model, name) == getattr(theirs.model, name)
    assert (ours.recipe, ours.data) == (theirs.recipe, theirs.data)
    assert ours.environment == theirs.environment


@pytest.mark.parametrize("label", LABELS)
def test_weights_of_one_engine_are_the_others(compared: Path, label: str) -> None:
    from nablab.models import numpy_net, torch_net

    run = run_of(compared, LABELS[label])
    spec = resolve(run.record().model.reference).spec
    assert spec is not None
    x = np.random.default_rng(0).standard_normal((5, 1, 8, 8)).astype(np.float32)
    theirs, ours = torch_net.build(spec, (1, 8, 8), 10), numpy_net.build(spec, (1, 8, 8), 10)
    theirs.load_state_dict({name: torch.from_numpy(w) for name, w in run.weights().items()})
    numpy_net.load(ours, run_of(compared, LABELS[label]).weights())
    with torch.no_grad():
        expected = theirs.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(numpy_net.scores(ours, x), expected, atol=1e-5)


def test_the_table_has_both(compared: Path) -> None:
    rows = {row.label: row.detail for row in nablab.results(compared).view.rows}
    assert rows.keys() == {*LABELS, *LABELS.values()}
    assert rows["mlp-numpy"] == f"{rows['mlp']}, on NumPy"
    assert "mlp-numpy" in (nablab.results(compared).report()).read_text(encoding="utf-8")


def test_pictures_are_predicted(compared: Path, tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3).save(picture)
    theirs = nablab.predict(run_of(compared, "mlp").path, picture)
    ours = nablab.predict(run_of(compared, "mlp-numpy").path, picture)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-3)
    raw = np.random.default_rng(0).integers(0, 17, (3, 1, 8, 8)).astype(np.float32)
    by_folder = [load_predictor(run_of(compared, label)).scores(raw) for label in ("mlp", "mlp-numpy")]
    np.testing.assert_allclose(*by_folder, atol=1e-3)


def test_a_comparison_goes_on(compared: Path) -> None:
    plan = read_plan(compared)
    assert [model.engine for model in plan.models] == ["torch", "numpy", "torch", "numpy"]
    assert {type(event).__name__ for event in execute(plan, resume=True)} == {"RunSkipped"}


def test_what_the_engine_cannot_do_is_refused_before_anything_runs(tmp_path: Path) -> None:
    for changes, message in (
        ({"device": "cuda"}, "numpy:mlp computes on the CPU"),
        ({"precision": "bfloat16"}, "numpy:mlp computes in float32"),
    ):
        with pytest.raises(UserError, match=message):
            nablab.compare(["mlp", "numpy:mlp"], "digits", out=tmp_path / "out", progress=False, **changes)
    assert not (tmp_path / "out").exists()


def test_auto_is_the_cpu_for_the_twin_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    planned = nablab.plan(["numpy:mlp"], "digits", seeds=1, epochs=1, out=tmp_path / "out")
    assert planned.plan.recipe.device == "cpu"


def test_inspect_and_check() -> None:
    inspection = nablab.inspect("numpy:4C3-ReLU-K", "digits")
    assert inspection.record.engine == "numpy"
    assert inspection.latency is not None
    assert nablab.gradcheck("numpy:3C3-Tanh-K", data="digits").right


@pytest.fixture
def threads() -> Iterator[int]:
    before = parallel.get_num_threads()
    yield before
    parallel.set_num_threads(before)


def test_threads_are_the_plans_and_then_as_before(threads: int) -> None:
    parallel.set_num_threads(2)
    with computing_with(1, [resolve("numpy:mlp")]):
        assert parallel.get_num_threads() == 1
    assert parallel.get_num_threads() == 2
    with computing_with(1, [resolve("mlp")]):
        assert parallel.get_num_threads() == 2
        assert torch.get_num_threads() == 1


def test_so_are_pytorchs_where_it_augments_for_our_engine() -> None:
    code = (
        "import sys\n"
        "from nablab.data import augment\n"
        "from nablab.models.reference import resolve\n"
        "from nablab.runs.threads import computing_with\n"
        "for text in ('flip,shift:2', 'crop:0.5'):\n"
        "    with computing_with(1, [resolve('numpy:mlp')], augment.parse(text, (1, 8, 8))):\n"
        "        print('torch' in sys.modules and sys.modules['torch'].get_num_threads())\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "1"]


def test_pytorch_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys, nablab\n"
        "run = nablab.train('numpy:16-ReLU-K', 'digits', epochs=1, device='cpu', out='run', progress=False)\n"
        "nablab.inspect('numpy:lenet')\n"
        "assert run.record.status == 'done'\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
