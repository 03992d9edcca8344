from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

import nablab


class Net(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))


@pytest.mark.parametrize("model", ["lenet5", "8C3-ReLU-Res(8C3)-GlobalAvgPool-K", Net, "knn"])
def test_a_model_shows_its_size_without_training(model: object, tmp_path: Path) -> None:
    inspection = nablab.inspect(model)
    assert inspection.record.label in repr(inspection)
    assert inspection.record.label in inspection._repr_html_()
    if model == "knn":
        assert inspection.latency is None
        with pytest.raises(nablab.UserError, match="no graph"):
            inspection.graph(tmp_path / "g.svg")
        return
    assert inspection.latency is not None
    assert 0 < inspection.latency < 10
    assert ElementTree.parse(inspection.graph(tmp_path / "g.svg")).getroot().tag.endswith("svg")


def test_counts_are_those_of_torch() -> None:
    module = Net()
    parameters = sum(p.numel() for p in module.parameters())
    assert nablab.inspect(Net, latency=False).record.parameters == parameters
    assert nablab.inspect("lenet5", latency=False).record.parameters == 61_706
    assert torch.is_grad_enabled()


def test_shapes_come_from_data_or_are_given() -> None:
    assert nablab.inspect("K", "digits", latency=False).record.parameters == 65 * 10
    assert nablab.inspect("K", input_shape=(3, 4, 4), classes=2, latency=False).record.parameters == 49 * 2
    with pytest.raises(nablab.UserError, match="choose one"):
        nablab.inspect("K", "digits", input_shape=(1, 8, 8))


def test_the_catalog_lists_every_name() -> None:
    from nablab.models.catalog import CATALOG
    from nablab.models.estimators import ESTIMATORS

    sheet = nablab.catalog()
    assert [row[0] for row in sheet] == [*CATALOG, *ESTIMATORS]
    assert dict(zip([r[0] for r in sheet], [r[2] for r in sheet], strict=True))["lenet5"] == "61,706"
