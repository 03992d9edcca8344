import pytest
from torch import nn

from nablab.errors import UserError
from nablab.models.model import Model
from nablab.models.reference import resolve
from nablab.runs.describe import describe_model


def test_a_network_has_its_layers_and_costs() -> None:
    record = describe_model(resolve("lenet5"), (1, 28, 28), 10)
    assert record.parameters == 61_706
    assert record.flops == 2 * (record.macs or 0)
    assert sum(row.parameters for row in record.layers) == record.parameters
    assert record.spec == resolve("lenet5").detail


def test_a_module_is_counted_by_building_it() -> None:
    def build(shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(shape[1] * shape[2], classes))

    record = describe_model(Model("m", "m", "module", "m", factory=build), (1, 8, 8), 10)
    assert (record.parameters, record.macs, record.flops) == (650, 640, 1280)


def test_an_estimator_has_what_can_be_known() -> None:
    linear = describe_model(resolve("logistic_regression"), (1, 8, 8), 10)
    assert (linear.parameters, linear.macs, linear.layers) == (650, 640, ())
    neighbours = describe_model(resolve("knn"), (1, 8, 8), 10)
    assert (neighbours.parameters, neighbours.macs, neighbours.seeded) == (None, None, False)


def test_a_network_that_does_not_fit() -> None:
    with pytest.raises(UserError, match="MaxPool"):
        describe_model(resolve("8C3-MaxPool16-K"), (1, 8, 8), 10)
