"""Exported files answer as the runs do, on raw images, in others' programs; wrong ones are not kept."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import nablab
from nablab.cli import main
from nablab.errors import NablabError, UserError
from nablab.runs import export_onnx
from nablab.runs.export import CHECKED, export_run, find_checks, tolerance_of
from nablab.runs.predict import load_predictor
from nablab.runs.store import RunFolder

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

CNN = "4C3-BatchNorm-ReLU-MaxPool2-K"
ESTIMATORS = ("logistic_regression", "linear_svc", "svc", "random_forest", "mlp_classifier")
MODULES = """
import torch
from torch import nn

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(64, 8), nn.Linear(8, 10)
    def forward(self, x):
        return self.out(torch.tanh(self.hidden(x.flatten(1))))

class Undecided(Plain):
    def forward(self, x):
        return super().forward(2 * x if x.mean() > 100 else x)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict[str, Path]:
    """A run of each kind, by label, on digits (uint8, 8 x 8)."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "nets.py").write_text(MODULES, encoding="utf-8")
    modules = [f"{folder / 'nets.py'}:{name}" for name in ("Plain", "Undecided")]
    models = [CNN, f"numpy:{CNN}", *modules, *ESTIMATORS]
    comparison = nablab.compare(
        models,
        "digits",
        fractions=[0.2],
        seeds=1,
        epochs=1,
        jobs=1,
        threads=1,
        out=folder / "out",
        progress=False,
    )
    assert comparison.failures == ()
    labels = ["network", "numpy", "plain", "undecided", *ESTIMATORS]
    return dict(zip(labels, (run.folder.path for run in comparison.results.runs), strict=True))


def raw(run: Path, count: int = 7):
    """Test images as they are stored, and what nablab's own prediction says about them."""
    data = nablab.load("digits")
    images = data.x_test[-count:]
    return images, load_predictor(run, dataset=data).scores(images)


@pytest.mark.parametrize("label", ["network", "numpy", "plain", *ESTIMATORS])
def test_onnx_takes_any_number_of_raw_images(trained, tmp_path: Path, label: str) -> None:
    done = export_run(trained[label], "onnx", tmp_path / "net.onnx")
    assert done.images == CHECKED
    assert done.difference <= done.tolerance
    session = onnxruntime.InferenceSession(done.path, providers=["CPUExecutionProvider"])
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.shape, taken.type) == ("images", ["batch", 1, 8, 8], "tensor(uint8)")
    assert (given.name, given.shape[0], given.type) == ("scores", "batch", "tensor(float)")
    for count in (1, 7):
        images, expected = raw(trained[label], count)
        (scores,) = session.run(["scores"], {"images": images})
        np.testing.assert_allclose(scores, expected, atol=1e-4 * max(1, np.abs(expected).max()))
    said = session.get_modelmeta().custom_metadata_map
    record = RunFolder(trained[label]).record()
    assert json.loads(said["classes"]) == list("0123456789")
    assert said["fingerprint"] == record.data.fingerprint
    assert (said["run"], said["nablab"]) == (record.id, nablab.__version__)
    assert said["scores"] == record.model.score_kind


@pytest.mark.parametrize("label", ["network", "numpy", "plain"])
def test_pt2_is_a_program_that_needs_no_nablab(trained, tmp_path: Path, label: str) -> None:
    import torch

    done = export_run(trained[label], "pt2", tmp_path / "net.pt2")
    extra = {"nablab.json": ""}
    program = torch.export.load(io.BytesIO(done.path.read_bytes()), extra_files=extra).module()
    for count in (1, 7):
        images, expected = raw(trained[label], count)
        np.testing.assert_allclose(program(torch.from_numpy(images)).detach(), expected, atol=1e-4)
    assert json.loads(extra["nablab.json"])["run"] == RunFolder(trained[label]).record().id


def test_safetensors_holds_the_weights_and_what_belongs_to_them(trained, tmp_path: Path) -> None:
    done = export_run(trained["network"], "safetensors", tmp_path / "net.safetensors")
    with safe_open(done.path, framework="np") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        said = file.metadata()
    weights = RunFolder(trained["network"]).weights()
    assert stored.keys() == weights.keys()
    assert all(np.array_equal(stored[name], weights[name]) for name in weights)
    assert said["model"] == CNN
    assert json.loads(said["preprocessing"])["kind"] == "standardize"


def copied(trained: dict[str, Path], label: str, tmp_path: Path) -> RunFolder:
    return RunFolder(shutil.copytree(trained[label], tmp_path / label))


@pytest.mark.parametrize("format_", ["onnx", "pt2", "safetensors"])
@pytest.mark.parametrize("fault", ["preprocessing", "weights"])
def test_a_file_that_answers_otherwise_is_not_kept(trained, tmp_path: Path, format_, fault: str) -> None:
    run = copied(trained, "network", tmp_path)
    if fault == "weights":
        run.write_weights({name: value * 1.01 for name, value in run.weights().items()})
    else:
        record = run.record()
        shift = [value + 0.1 for value in record.preprocessing["shift"]]
        run.write_record(replace(record, preprocessing=record.preprocessing | {"shift": shift}))
    before = sorted(run.path.iterdir())
    with pytest.raises(
        NablabError, match=r"differs from the run's own scores by .* on 100 test images"
    ) as told:
        export_run(run, format_)
    assert told.value.exit_code == 1
    assert sorted(run.path.iterdir()) == before


def test_an_estimator_that_answers_otherwise_is_not_kept(trained, tmp_path: Path) -> None:
    run = copied(trained, "logistic_regression", tmp_path)
    stored = run.predictions()
    run.write_predictions(replace(stored, scores=np.roll(stored.scores, 1, axis=1)))
    with pytest.raises(NablabError, match="differs"):
        export_run(run, "onnx")


def test_scores_that_are_no_numbers_are_a_difference(trained, tmp_path: Path) -> None:
    run = copied(trained, "network", tmp_path)
    weights = run.weights()
    run.write_weights(weights | {"4.bias": np.full_like(weights["4.bias"], np.nan)})
    with pytest.raises(NablabError, match="differs from the run's own scores by nan"):
        export_run(run, "safetensors")


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("label", ["linear_svc", "svc", "logistic_regression", "net_linear"])
def test_features_of_few_classes(tmp_path: Path, label: str, classes: int) -> None:
    """float32 vectors; of two classes scikit-learn gives one margin only, and nablab a column for each."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % classes
    x = (rng.normal(size=(120, 6)) + y[:, None]).astype(np.float32)
    data = nablab.make_dataset("made", x[:90], y[:90], x[90:], y[90:], tuple("abc"[:classes]), source="drawn")
    run = nablab.train(label, data, out=tmp_path / "out", progress=False, threads=1, epochs=1).folder
    done = nablab.export(run, tmp_path / "m.onnx", dataset=data)
    session = onnxruntime.InferenceSession(done.path, providers=["CPUExecutionProvider"])
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.shape, taken.type) == ("features", ["batch", 6], "tensor(float)")
    assert (given.name, given.shape) == ("scores", ["batch", classes])
    (scores,) = session.run(["scores"], {"features": data.x_test})
    np.testing.assert_allclose(
        scores[np.argsort(data.test_ids)],
        RunFolder(run).predictions().scores[np.argsort(RunFolder(run).predictions().indices)],
        rtol=1e-4,
        atol=1e-4,
    )


def test_data_that_cannot_be_loaded_leaves_the_images_that_the_run_kept(trained, tmp_path: Path) -> None:
    run = copied(trained, "network", tmp_path)
    record = run.record()
    assert len(find_checks(run, record).images) == CHECKED
    gone = replace(record, data=replace(record.data, reference="gone.npz"))
    kept = run.examples()
    checks = find_checks(run, gone)
    assert len(checks.images) == min(len(kept.images), CHECKED) > 5
    place = {int(index): row for row, index in enumerate(run.predictions().indices)}
    rows = [place[int(index)] for index in kept.indices[:CHECKED]]
    np.testing.assert_array_equal(checks.scores, run.predictions().scores[rows])
    (run.path / "examples.npz").unlink()
    with pytest.raises(UserError, match=r"give the data \(dataset=\)"):
        find_checks(run, gone)
    other = replace(record, data=replace(record.data, fingerprint="00" * 32))
    with pytest.raises(UserError, match="cannot be loaded"):
        find_checks(run, other)


def test_coarse_arithmetic_is_given_room(trained) -> None:
    record = RunFolder(trained["network"]).record()
    small, large = np.ones((1, 2), np.float32) / 2, np.full((1, 2), -20, np.float32)
    assert tolerance_of(record, small) == pytest.approx(1e-4)
    assert tolerance_of(record, large) == pytest.approx(2e-3)
    on_gpu = replace(record, environment=replace(record.environment, device="cuda: an accelerator"))
    assert tolerance_of(on_gpu, small) == 0.05


def test_what_cannot_be_traced_is_said_in_one_line(
    trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "u.onnx"
    assert main(["export", str(trained["undecided"]), "--onnx", "--out", str(out)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("nablab: undecided cannot be traced by torch.export")
    assert captured.err.count("\n") == 1
    assert not out.exists()


def test_the_extra_is_named_where_it_is_missing(trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_onnx, "find_spec", lambda name: None if name == "onnxscript" else object())
    for label in ("network", "logistic_regression"):
        with pytest.raises(UserError, match=r"ONNX needs onnxscript; .* pip install 'nablab\[onnx\]'"):
            export_run(trained[label], "onnx")


def test_the_command_writes_into_the_run_and_says_what_it_checked(
    trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copied(trained, "network", tmp_path)
    assert main(["export", str(run.path), "--pt2", "--safetensors"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines if "model." in line] == [
        str(run.path / "model.pt2"),
        str(run.path / "model.safetensors"),
    ]
    assert all("on 100 test images" in " ".join(lines) for _ in lines)
    assert main(["export", str(run.path), "--safetensors", "--json", "--quiet"]) == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert document["images"] == 100
    assert document["difference"] <= document["tolerance"]


@pytest.mark.parametrize(
    ("label", "words", "said"),
    [
        ("network", [], "give --onnx, --pt2 or --safetensors"),
        ("network", ["--pt2", "--onnx", "--out", "x"], "is one file"),
        ("svc", ["--pt2"], "those are exported with --onnx"),
        ("svc", ["--safetensors"], "those are exported with --onnx"),
    ],
)
def test_mistakes_are_told(
    trained, capsys: pytest.CaptureFixture[str], label: str, words: list[str], said: str
) -> None:
    assert main(["export", str(trained[label]), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_class_of_this_session_is_given_again(tmp_path: Path) -> None:
    from torch import nn

    class Live(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Flatten(), nn.Linear(64, 10))

    run = nablab.train(Live, "digits", fraction=0.2, epochs=1, out=tmp_path / "out", progress=False).folder
    with pytest.raises(UserError, match="give it there"):
        nablab.export(run, format="pt2")
    done = nablab.export(run, format="pt2", model=Live)
    assert done.path == run / "model.pt2"
    assert done.images == CHECKED


def test_unknown_formats_and_unfinished_runs_are_refused(trained, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no format 'tflite'"):
        nablab.export(trained["svc"], format="tflite")  # type: ignore[arg-type]
    run = copied(trained, "network", tmp_path)
    run.write_record(replace(run.record(), status="interrupted", totals=None))
    with pytest.raises(UserError, match="has not finished"):
        nablab.export(run.path)
