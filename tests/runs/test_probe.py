"""A linear probe as a run: chosen on validation, recorded with its cost, stored and asked again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from nablab.data.dataset import Dataset
from nablab.errors import UserError
from nablab.models.backbones import load_backbone
from nablab.models.reference import resolve_all
from nablab.runs.execute import RunDone, execute
from nablab.runs.plan import make_plan
from nablab.runs.predict import load_predictor
from nablab.training.recipe import Recipe

FILE = """
import torch
from torch import nn

class Net(nn.Sequential):
    channels = 1

    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten())
"""


def test_a_probe_is_a_run_like_any_other(
    squares: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NABLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "net.py").write_text(FILE)
    models = resolve_all([f"features:{tmp_path / 'net.py'}:Net", "K"])
    plan = make_plan(models, squares, Recipe(epochs=1, threads=1), out=tmp_path / "out", jobs=1)
    assert sum(isinstance(event, RunDone) for event in execute(plan)) == 2
    probe, network = (plan.folder(run) for run in plan.runs)
    record = probe.record()
    assert (record.recipe["preprocessing"], record.preprocessing["kind"]) == ("unit", "unit")
    assert network.record().recipe["preprocessing"] == "standardize"
    (chosen,) = (one for one in record.tried if one.chosen)
    assert len(record.tried) == 4
    assert chosen.accuracy == max(one.accuracy for one in record.tried)
    assert record.model.macs is not None
    assert record.model.macs > 16 * 27
    assert not list(probe.path.glob("*.pkl"))

    strength = float(chosen.setting.partition("C=")[2].partition(")")[0])
    module = load_backbone(f"{tmp_path / 'net.py'}:Net").module
    rows = plan.folder(plan.runs[0]).predictions()
    expected = _by_hand(squares, module, strength)
    assert_allclose(rows.scores, expected[rows.indices], atol=2e-3)

    predictor = load_predictor(probe)
    assert_allclose(predictor.scores(squares.x_test[:][rows.indices]), rows.scores, atol=1e-6)
    (tmp_path / "net.py").write_text(FILE.replace("manual_seed(0)", "manual_seed(1)"))
    load_backbone.cache_clear()
    with pytest.raises(UserError, match="are others than when this was fitted"):
        load_predictor(probe).scores(squares.x_test[:5])


def _by_hand(squares: Dataset, module: object, strength: float) -> np.ndarray:
    """Features, scaling and regression written out; every tenth training image validates."""
    import torch

    from nablab.data.split import split

    cut = split(squares, validation=0.1)

    def of(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module(torch.from_numpy(x.astype(np.float32) / 255)).numpy()  # type: ignore[operator]

    scale = StandardScaler().fit(train := of(squares.x_train[:][cut.train]))
    regression = LogisticRegression(C=strength, max_iter=1000)
    regression.fit(scale.transform(train), squares.y_train[cut.train])
    return regression.predict_proba(scale.transform(of(squares.x_test[:])))
