import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score

from nablab.errors import UserError
from nablab.runs.experiment import read_experiment
from nablab.runs.predict import load_predictor
from nablab.runs.record import RunRecord, parse_record
from nablab.runs.store import RunFolder, find_runs

#: Written by the first nablab: a trained network, and one that diverged. Never written anew: what was stored
#: once has to stay readable.
V1 = Path(__file__).parent / "v1"


@pytest.fixture
def trained() -> RunFolder:
    return RunFolder(V1 / "runs" / "8-relu-k-f0.5-s0")


def test_runs_of_the_first_version_are_found() -> None:
    assert [(run.path.name, run.record().status) for run in find_runs(V1)] == [
        ("8-relu-k-f0.5-s0", "done"),
        ("k-f0.5-s0", "failed"),
    ]


def test_the_first_version_is_read(trained: RunFolder) -> None:
    record = trained.record()
    assert (record.schema, record.model.spec, record.data.reference) == (1, "8-ReLU-K", "digits")
    assert record.model.parameters == 64 * 8 + 8 + 8 * 10 + 10
    assert [m.epoch for m in trained.metrics()] == [1, 2]
    said, totals = trained.predictions(), record.totals
    assert totals is not None
    assert totals.test_accuracy == accuracy_score(said.y, said.scores.argmax(axis=1))
    assert trained.metrics()[-1].test_accuracy == pytest.approx(totals.test_accuracy)


def test_the_first_version_still_predicts(trained: RunFolder) -> None:
    said, shown = trained.predictions(), trained.examples()
    place = {int(index): row for row, index in enumerate(said.indices)}
    scores = load_predictor(trained).scores(shown.images)
    expected = said.scores[[place[int(index)] for index in shown.indices]]
    assert len(expected)
    assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    assert_array_equal(trained.weights()["2.bias"].shape, (10,))


def test_a_failure_of_the_first_version_is_read() -> None:
    failure = RunFolder(V1 / "runs" / "k-f0.5-s0").record().failure
    assert failure is not None
    assert (failure.kind, failure.epoch) == ("diverged", 0)
    assert "lower lr" in failure.message


def test_the_experiment_of_the_first_version_is_read() -> None:
    asked = read_experiment(V1 / "experiment.toml")
    assert (asked.models, asked.fractions, asked.data_reference.reference) == (
        ("8-ReLU-K",),
        (0.5,),
        "digits",
    )


def test_a_record_comes_back_equal(record: RunRecord) -> None:
    assert parse_record(record.to_json(), "it") == record


def test_fields_of_a_later_version_do_not_disturb(record: RunRecord) -> None:
    values = json.loads(record.to_json())
    values["carbon"] = 3
    values["model"]["colour"] = "blue"
    assert parse_record(json.dumps(values), "it") == record


def test_numbers_that_json_cannot_hold_are_refused(record: RunRecord) -> None:
    assert record.totals is not None
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(record, totals=replace(record.totals, test_loss=float("nan"))).to_json()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"recipe": {"seed": "x"}}, r"recipe\.seed: should be a whole number"),
        ({"recipe": {"split_seed": 0.5}}, r"recipe\.split_seed: should be a whole number"),
        ({"recipe": {"lr": float("nan")}}, "NaN is no number"),
    ],
)
def test_what_no_run_has_is_named(record: RunRecord, change: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError, match=rf"run\.json is not .*{complaint}"):
        parse_record(json.dumps(json.loads(record.to_json()) | change), "run.json")


def test_what_is_missing_is_named(record: RunRecord) -> None:
    values = json.loads(record.to_json())
    del values["data"]["classes"]
    with pytest.raises(UserError, match=r"run\.json is not a run record: data\.classes"):
        parse_record(json.dumps(values), "run.json")


def test_pictures_of_the_first_version_are_those_of_mistakes(trained: RunFolder) -> None:
    said = trained.predictions()
    wrong = said.indices[said.scores.argmax(axis=1) != said.y]
    assert np.isin(trained.examples().indices, wrong).all()
