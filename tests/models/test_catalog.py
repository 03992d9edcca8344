"""The networks that have a name, counted."""

from __future__ import annotations

import pytest

from nablab.errors import UserError
from nablab.models import catalog, cost
from nablab.models.catalog import CATALOG
from nablab.models.shapes import trace

#: Parameters and MACs for images of 1x28x28 and 10 classes. The parameters of lenet5, lenet and
#: lenet_tiny are published figures; the others are sums worked out from the course's descriptions.
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
