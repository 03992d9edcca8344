"""`nablab.compare` and what it returns, on digits."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from torch import nn

import nablab
from nablab.runs.store import RunFolder


class Net(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

    def forward(self, x: object) -> object:
        return self.layers(x)


class Diverging(Net):
    def forward(self, x: object) -> object:
        return super().forward(x) * (float("nan") if self.training else 1.0)


def test_a_comparison_knows_its_runs_and_verdicts(digits_results: Path) -> None:
    comparison = nablab.results(digits_results)
    assert len(comparison.results.runs) == 5  # knn has nothing that a seed changes
    assert {row.label for row in comparison.view.rows} == {"net_linear", "mlp", "knn"}
    assert len(comparison.verdicts[1.0]) == 3
    assert comparison.failures == ()


def test_it_shows_itself(digits_results: Path) -> None:
    comparison = nablab.results(digits_results)
    for text in (repr(comparison), repr(comparison.table())):
        assert all(label in text for label in ("net_linear", "mlp", "knn"))
    html = comparison._repr_html_()
    assert "<svg" in html
    assert comparison.view.headline.split()[0] in html
    assert comparison.table()._repr_html_().count("<tr>") == 1 + 3


def test_tables_are_written_as_they_are_returned(digits_results: Path, tmp_path: Path) -> None:
    comparison = nablab.results(digits_results)
    rows = list(csv.DictReader(io.StringIO(comparison.csv(tmp_path / "t.csv").read_text())))
    assert len(rows) >= 3
    assert comparison.latex(tmp_path / "t.tex").read_text() == comparison.table().to_latex()
    assert comparison.markdown(tmp_path / "t.md").read_text() == comparison.table().to_markdown()
    report = comparison.report(tmp_path / "r.html")
    assert comparison.view.headline.split(":")[0] in report.read_text(encoding="utf-8")


def test_the_document_is_plain_data(digits_results: Path) -> None:
    import json

    document = json.loads(json.dumps(nablab.results(digits_results).document(), allow_nan=False))
    by_label = {model["label"]: model for model in document["models"]}
    record = RunFolder(digits_results / "runs" / "mlp-f1-s0").record()
    assert record.totals is not None
    assert by_label["mlp"]["parameters"] == 64 * 100 + 100 + 100 * 10 + 10
    assert record.totals.test_accuracy in by_label["mlp"]["results"][0]["accuracies"]
    assert len(document["verdicts"]) == 3


def test_live_classes_run_here_and_one_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    comparison = nablab.compare(
        [Diverging, Net], "digits", seeds=1, epochs=1, out=tmp_path / "out", progress=False
    )
    (failure,) = comparison.failures
    assert (failure.kind, failure.step) == ("diverged", 0)
    assert [run.record.status for run in comparison.results.runs] == ["failed", "done"]
    again = nablab.resume(tmp_path / "out", Net, Diverging, progress=False)
    assert [run.record.status for run in again.results.runs] == ["failed", "done"]


def test_what_was_planned_is_repeated_by_its_file(tmp_path: Path) -> None:
    first = nablab.compare(
        ["net_linear"], "digits", seeds=[3], epochs=2, lr=0.01, out=tmp_path / "a", progress=False
    )
    second = nablab.compare(config=tmp_path / "a" / "experiment.toml", out=tmp_path / "b", progress=False)
    one, two = (c.results.runs[0] for c in (first, second))
    assert one.record.recipe == two.record.recipe
    assert one.record.totals is not None
    assert two.record.totals is not None
    assert one.record.totals.test_accuracy == two.record.totals.test_accuracy
    assert one.record.totals.test_loss == two.record.totals.test_loss


def test_more_models_are_trained_as_the_others_were(tmp_path: Path) -> None:
    nablab.compare("net_linear", "digits", seeds=1, epochs=1, out=tmp_path / "a", progress=False)
    comparison = nablab.results(tmp_path / "a")
    assert len(comparison.table().view.rows) == 1
    more = comparison.add("8-ReLU-K", progress=False)
    assert len(comparison.table().view.rows) == 2
    records = [run.record for run in more.results.runs]
    assert [record.model.spec for record in records] == ["K", "8-ReLU-K"]
    assert records[0].recipe == records[1].recipe
    with pytest.raises(nablab.UserError, match="already"):
        more.add("net_linear", progress=False)


def test_train_returns_the_run(tmp_path: Path) -> None:
    run = nablab.train("net_linear", "digits", epochs=2, fraction=0.5, out=tmp_path / "a", progress=False)
    assert run.test_accuracy == pytest.approx(run.metrics[-1].test_accuracy)
    assert run.record.data.fraction == 0.5
    assert run.weights()["0.weight"].shape == (10, 64)
    assert f"{100 * (run.test_accuracy or 0):.1f} %" in repr(run)
    with pytest.raises(nablab.RunFailed, match="diverging"):
        nablab.train(Diverging, "digits", epochs=1, out=tmp_path / "b", progress=False)


def test_a_slice_is_said_to_be_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from nablab.data.sources.fashion_mnist import load_slice

    nablab.train("K", load_slice(), epochs=1, fraction=0.001, test_fraction=0.005, out=tmp_path / "a")
    assert "nablab data fetch fashion-mnist" in capsys.readouterr().err.splitlines()[0]


def test_a_plan_trains_nothing(tmp_path: Path) -> None:
    planned = nablab.plan(["mlp", "net_linear"], "digits", seeds=2, epochs=3, out=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert planned.seconds > 0
    assert planned.memory_bytes > 2**20
    assert [row[0] for row in planned.sheet()] == ["mlp", "net_linear"]
    assert "4 runs" in repr(planned)
    assert len(planned.document()["runs"]) == 4


def test_recipe_and_preset_exclude_each_other() -> None:
    with pytest.raises(nablab.UserError, match="choose one"):
        nablab.compare("mlp", "digits", recipe=nablab.Recipe(), preset="fast")
    with pytest.raises(nablab.UserError, match="epochs"):
        nablab.compare("mlp", "digits", epoch=3)
