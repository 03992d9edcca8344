"""The networks that have a name: counted, trained on a batch, stored and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nablab.errors import UserError
from nablab.models import catalog, cost, numpy_net, torch_net
from nablab.models import spec as s
from nablab.models.catalog import CATALOG
from nablab.models.initial import initial_weights
from nablab.models.shapes import trace
from nablab.runs.arrays import read_tensors, write_tensors

#: Parameters and MACs for images of 1x28x28 and 10 classes. The parameters of lenet5, lenet and
#: lenet_tiny are published figures; those of the course's other networks are sums worked out from
#: its descriptions; those of papers are held against independent modules in test_catalog_papers.py.
COUNTS = {
    "net_linear": (784 * 10 + 10, 7840),
    "mlp": (785 * 100 + 101 * 10, 79_400),
    "lenet5": (61_706, 416_520),
    "lenet_tiny": (109_295, 646_500),
    "lenet": (431_080, 2_293_000),
    "fashion_cnn": (1_475_338, 4_335_600),
    "network": (26 * 6 + 151 * 12 + 193 * 120 + 121 * 60 + 61 * 10, 232_440),
    "conv_net1": (26 * 8 + 1569 * 500 + 501 * 10, 945_800),
    "conv_net2": (26 * 8 + 1569 * 500 + 501 * 10, 945_800),
    "conv_net3": (26 * 16 + 401 * 32 + 801 * 64 + 577 * 128 + 129 * 256 + 257 * 10, 5_440_256),
    "conv_net4": (1_148_618, 116_059_648),
    "lecture_cnn": (26 * 10 + 251 * 20 + 321 * 10, 467_200),
    "stride_cnn": (10 * 16 + 145 * 16 + 145 * 10, 164_160),
    "resnet_mini": (
        (160 + 32 + 4640 + 64) + (18_496 + 128 + 36_928 + 128 + 33 * 64) + (3137 * 128 + 129 * 10),
        4_228_608,
    ),
    "separable": (
        (240 + 48) + (240 + 2400 + 192) + (960 + 18_624 + 384) + (9409 * 128 + 129 * 10),
        2_814_272,
    ),
    "convmixer": (
        (240 + 48) + (13_888 + 128) + (640 + 128 + 6240 + 192) + (4705 * 128 + 129 * 10),
        3_811_520,
    ),
    "nab_fast": (
        (216 + 48) + (13_824 + 128) + (55_296 + 192) + (865 * 128 + 129 * 10),
        784 * 216 + 196 * 13_824 + 49 * 55_296 + 864 * 128 + 1280,
    ),
    "resnet18": (11_173_962 - 2 * 9 * 64, 455_800_832),
    "resnet20": (269_722 - 2 * 9 * 16, 30_821_248),
    "resnet34": (21_282_122 - 2 * 9 * 64, 935_917_568),
    "wrn_16_4": (2_748_890 - 2 * 9 * 16, 300_368_640),
    "wrn_40_4": (8_949_210 - 2 * 9 * 16, 994_001_664),
    "mobilenet": (3_217_226 - 2 * 9 * 32, 42_030_208),
    "mobilenet_v2": (2_236_682 - 2 * 9 * 32, 72_938_624),
    "nab_small": (95_962, 13_188_264),
}


@pytest.mark.parametrize("name", CATALOG)
def test_counts(name: str) -> None:
    entry = CATALOG[name]
    total = cost.count(trace(entry.spec, (1, 28, 28), 10))
    assert (total.parameters, total.macs) == COUNTS[name]


@pytest.mark.parametrize("name", CATALOG)
def test_entries_explain_themselves(name: str) -> None:
    entry = CATALOG[name]
    assert entry.name == name == name.lower()
    assert entry.title
    assert len(entry.note) > 40


def test_the_seven_of_the_default_comparison() -> None:
    four, three = catalog.DEFAULT_COMPARISON[:4], catalog.DEFAULT_COMPARISON[4:]
    assert four == ("net_linear", "lenet_tiny", "lenet", "fashion_cnn")
    costs = {name: cost.count(trace(CATALOG[name].spec, (1, 28, 28), 10)) for name in four + three}
    for name in three:
        assert CATALOG[name].note.startswith("Ours")
        assert costs[name].macs <= costs["fashion_cnn"].macs
        assert costs[name].parameters <= costs["fashion_cnn"].parameters


def test_guesses_are_marked() -> None:
    for name in ("lenet", "lenet_tiny", "fashion_cnn", "conv_net1", "conv_net3"):
        assert "our guess" in CATALOG[name].note


def test_stride_cnn_on_larger_images_is_refused() -> None:
    with pytest.raises(UserError, match="it ends in 40 scores, but there are 10 classes"):
        trace(CATALOG["stride_cnn"].spec, (1, 64, 64), 10)


def test_names_are_found_in_any_case_and_strings_are_read() -> None:
    assert catalog.spec(" LeNet5 ") == CATALOG["lenet5"].spec
    assert str(catalog.spec("8c3-k")) == "8C3-K"
    with pytest.raises(UserError):
        catalog.spec("lenet6")


#: Networks that are trained here with a quarter of their filters.
WIDE = ("conv_net4", "resnet18", "resnet20", "resnet34", "wrn_16_4", "wrn_40_4", "mobilenet", "mobilenet_v2")


def narrowed(layers: tuple[s.Layer, ...], by: int) -> tuple[s.Layer, ...]:
    """The same layers with fewer filters."""
    narrow: list[s.Layer] = []
    for layer in layers:
        match layer:
            case s.Conv(filters):
                layer = replace(layer, filters=filters // by)
            case s.Widen(channels):
                layer = s.Widen(channels // by)
            case s.Residual(body, shortcut):
                layer = s.Residual(narrowed(body, by), narrowed(shortcut, by))
        narrow.append(layer)
    return tuple(narrow)


@pytest.mark.parametrize("name", CATALOG)
def test_every_network_learns_a_batch_by_heart(name: str) -> None:
    spec, shape = s.Spec(narrowed(CATALOG[name].spec.layers, 4 if name in WIDE else 1)), (1, 28, 28)
    network = torch_net.build(spec, shape, 10)
    network.load_state_dict(tensors(initial_weights(spec, shape, 10, seed=0)))
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    rng = np.random.default_rng(0)
    x, y = torch.from_numpy(rng.standard_normal((8, *shape), dtype=np.float32)), torch.arange(8)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x), y)
        if loss < 0.3:
            return
        loss.backward()
        optimizer.step()
    pytest.fail(f"after 60 steps the loss is {loss:.2f}")


def tensors(weights: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value.copy()) for name, value in weights.items()}


@pytest.mark.parametrize("name", CATALOG)
def test_weights_are_stored_and_read_back_by_both_engines(name: str, tmp_path: Path) -> None:
    spec, shape = CATALOG[name].spec, (1, 28, 28)
    if name in WIDE:
        spec = s.Spec(narrowed(spec.layers, 8))
    rng = np.random.default_rng(1)
    weights = initial_weights(spec, shape, 10, seed=2)
    for value in weights.values():
        if value.ndim == 1:  # biases, scales and running statistics that matter
            value += rng.uniform(0.0, 0.2, value.shape).astype(np.float32)
    trained = torch_net.build(spec, shape, 10).eval()
    trained.load_state_dict(tensors(weights))
    path = tmp_path / "w.safetensors"
    write_tensors(path, {key: value.numpy() for key, value in trained.state_dict().items()}, {})

    stored, _ = read_tensors(path)
    again, twin = torch_net.build(spec, shape, 10).eval(), numpy_net.build(spec, shape, 10)
    again.load_state_dict(tensors(stored))
    numpy_net.load(twin, stored)
    x = rng.standard_normal((3, *shape), dtype=np.float32)
    with torch.no_grad():
        scores = trained(torch.from_numpy(x)).numpy()
        np.testing.assert_array_equal(again(torch.from_numpy(x)).numpy(), scores)
    assert np.ptp(scores) > 1e-3
    scale = np.abs(scores).max()
    np.testing.assert_allclose(numpy_net.scores(twin, x) / scale, scores / scale, atol=2e-5)
