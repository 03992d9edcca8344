"""Users' modules: what is refused, the layer table against PyTorch's own counts, the traced graph."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nablab.errors import UserError
from nablab.models import torch_net
from nablab.models.catalog import CATALOG
from nablab.models.shapes import trace
from nablab.models.torch_module import check_module, describe, trace_graph

SHAPE = (1, 12, 12)


class Functional(nn.Module):
    """Parameters of its own, a layer that is called twice, one that never is, one that is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.again = nn.Conv2d(4, 4, 1)
        self.weight = nn.Parameter(torch.randn(5, 576))
        self.frozen = nn.BatchNorm2d(4).requires_grad_(False)
        self.idle = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(functional.relu(self.again(self.conv(x))))
        x = self.frozen(x)
        return functional.linear(x.view(x.size(0), -1), self.weight)


class Branching(Functional):
    """Its code depends on its input's size, which fx cannot follow and export can."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * len(x)


class Untraceable(Functional):
    """Its code depends on the values in its input."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if float(x.sum()) > 1e9 else -x)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(12, 2, 16, batch_first=True)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x.squeeze(1)).mean(1))


@pytest.mark.parametrize("make", [Functional, Branching, Untraceable, Attention])
def test_rows_add_up_to_what_pytorch_counts(make: Callable[[], nn.Module]) -> None:
    module = make().train()
    rows = describe(module, SHAPE)
    assert all(part.training for part in module.modules())
    assert sum(row.parameters for row in rows) == sum(
        p.numel() for p in module.parameters() if p.requires_grad
    )
    counter = FlopCounterMode(display=False)
    torch.backends.mha.set_fastpath_enabled(False)
    with counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # whose products can be counted
        module.eval()(torch.zeros(2, *SHAPE))
    torch.backends.mha.set_fastpath_enabled(True)
    assert sum(row.macs for row in rows) * 4 == counter.get_total_flops() > 0


def test_a_layer_that_is_called_twice_has_one_row() -> None:
    rows = {row.path: row for row in describe(Functional(), SHAPE)}
    assert list(rows) == ["", "conv", "again", "frozen"]
    assert rows["again"].macs == 2 * 16 * 144
    assert rows["again"].parameters == 20
    assert rows["frozen"].parameters == 0
    assert rows[""].parameters == 5 * 576 + 12  # its own weight, and the layer that is never called
    assert rows["conv"].layer == "Conv2d"
    assert rows["conv"].output_shape == (4, 12, 12)


@pytest.mark.parametrize("name", ["lenet", "fashion_cnn"])
def test_our_networks_described_as_modules(name: str) -> None:
    spec = CATALOG[name].spec
    measured = describe(torch_net.build(spec, (1, 28, 28), 10), (1, 28, 28))
    derived = {row.path: row for row in trace(spec, (1, 28, 28), 10)}
    assert {row.path for row in measured} == set(derived)
    for row in measured:
        assert (row.parameters, row.macs) == (derived[row.path].parameters, derived[row.path].macs)


class Attending(nn.Module):
    def __init__(self, need_weights: bool) -> None:
        super().__init__()
        self.inside, self.out, self.need_weights = (
            nn.MultiheadAttention(12, 3, batch_first=True),
            nn.Linear(12, 5),
            need_weights,
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, 0]
        return self.out(self.inside(x, x, x, need_weights=self.need_weights)[0].mean(1))


class Recurrent(nn.Module):
    def __init__(self, layer: Callable[..., nn.Module], packed: bool) -> None:
        super().__init__()
        self.inside, self.out, self.packed = (
            layer(12, 7, 2, batch_first=True, bidirectional=True),
            nn.Linear(14, 5),
            packed,
        )

    def forward(self, x: Tensor) -> Tensor:
        steps = nn.utils.rnn.pack_padded_sequence(x[:, 0], [12] * len(x), batch_first=True)
        found = self.inside(steps if self.packed else x[:, 0])[0]
        return self.out((nn.utils.rnn.pad_packed_sequence(found, True)[0] if self.packed else found)[:, -1])


@pytest.mark.parametrize("need_weights", [False, True])
def test_attention_by_hand(need_weights: bool) -> None:
    inside, out = describe(Attending(need_weights), SHAPE)
    assert (inside.layer, inside.macs) == ("MultiheadAttention", 12 * 4 * 12 * 12 + 2 * 12 * 12 * 12)
    assert out.macs == 12 * 5


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("layer", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_by_hand(layer: Callable[..., nn.Module], gates: int, packed: bool) -> None:
    """12 steps, two layers, both directions; the second layer reads both directions of the first."""
    inside, out = describe(Recurrent(layer, packed), SHAPE)
    assert inside.macs == 12 * 2 * gates * 7 * ((12 + 7) + (14 + 7))
    assert out.macs == 14 * 5


def test_graph_by_fx() -> None:
    graph = trace_graph(Functional(), SHAPE)
    assert graph is not None
    labels = {node.name: (node.op, node.label) for node in graph.nodes}
    assert ("module", "Conv2d") in labels.values()
    assert ("function", "relu") in labels.values()
    assert ("parameter", "weight") in labels.values()
    assert [n.label for n in graph.nodes if n.path == "again"] == ["Conv2d", "Conv2d"]
    assert graph.nodes[0].shape == SHAPE
    assert graph.nodes[-1].op == "output"
    assert graph.nodes[-1].shape == (5,)
    assert {name for edge in graph.edges for name in edge} == set(labels)


def test_graph_by_export_where_fx_cannot_follow(capfd: pytest.CaptureFixture[str]) -> None:
    graph = trace_graph(Branching(), SHAPE)
    assert graph is not None
    assert [n.label for n in graph.nodes] == [
        *("input", "conv2d", "conv2d", "relu", "conv2d", "batch_norm", "view", "linear", "mul", "scores")
    ]
    order = {node.name: place for place, node in enumerate(graph.nodes)}
    assert all(order[start] < order[end] for start, end in graph.edges)
    assert trace_graph(Untraceable(), SHAPE) is None
    assert capfd.readouterr() == ("", "")


class Returns(nn.Module):
    def __init__(self, result: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.linear = nn.Linear(144, 5)
        self.result = result

    def forward(self, x: Tensor) -> object:
        return self.result(self.linear(x.flatten(1)))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Returns(lambda y: y[:, :3]), r"Net returns float32 of shape \(2, 3\) for 2 images \(1, 12, 12\)"),
        (Returns(lambda y: y.argmax(1)), r"Net returns int64 of shape \(2,\)"),
        (Returns(lambda y: (y, y)), "Net returns tuple"),
        (Returns(lambda y: y.softmax(1)), "Net returns probabilities; leave out its softmax"),
        (Returns(lambda y: y.squeeze()), r"Net returns float32 of shape \(5,\) for 1 image \(1, 12, 12\)"),
        (nn.Flatten(), r"Net returns float32 of shape \(2, 144\)"),
        (Returns(lambda y: y).requires_grad_(False), "Net has no parameter to train"),
        (torch.zeros(3), "Net is Tensor, not a torch.nn.Module"),
    ],
)
def test_modules_that_cannot_be_trained(module: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_module(module, SHAPE, 5, "Net")


class Auxiliary(Returns):
    """Another result in training mode than in evaluation mode."""

    def forward(self, x: Tensor) -> object:
        scores = self.linear(x.flatten(1))
        return self.result(scores) if self.training else scores


def failing(scores: Tensor) -> object:
    raise RuntimeError("two images are too few")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Returns(lambda y: y.detach()), "Net returns logits that no gradient comes back from"),
        (Returns(lambda y: torch.tensor(y.tolist())), "Net returns logits that no gradient comes back from"),
        (Auxiliary(lambda y: (y, y)), r"Net in training mode returns tuple .* logits of shape \(N, 5\)"),
        (Auxiliary(lambda y: y[:1]), r"Net in training mode returns float32 of shape \(1, 5\)"),
        (Auxiliary(lambda y: None), "Net in training mode returns NoneType"),
    ],
)
@pytest.mark.parametrize("around", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_what_only_training_would_show(
    module: nn.Module, message: str, around: Callable[[], AbstractContextManager[None]]
) -> None:
    with around():
        check_module(Returns(lambda y: y), SHAPE, 5, "Net")
        with pytest.raises(UserError, match=message):
            check_module(module.eval(), SHAPE, 5, "Net")


def test_the_trial_in_training_leaves_no_trace() -> None:
    check_module(Auxiliary(failing), SHAPE, 5, "Net")
    module = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(), nn.Flatten(), nn.Linear(144, 5))
    chance = torch.get_rng_state()
    check_module(module, SHAPE, 5, "Net")
    assert int(module[0].num_batches_tracked) == 0
    assert torch.equal(torch.get_rng_state(), chance)


def test_a_module_that_can_be_trained_is_left_as_it_was() -> None:
    module = Functional().train()
    module.conv.eval()
    assert check_module(module, SHAPE, 5, "Net") is module
    assert module.training
    assert not module.conv.training
    check_module(Returns(lambda y: y.log_softmax(1)), SHAPE, 5, "Net")
