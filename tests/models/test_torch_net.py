"""Our modules against plain PyTorch layers with the same weights: scores, gradients, running statistics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nablab.models import spec as s
from nablab.models import torch_net
from nablab.models.catalog import CATALOG
from nablab.models.initial import initial_weights
from nablab.models.language import parse
from nablab.models.shapes import Shape


class Padded(nn.Module):
    """Option A of He et al. 2016, as others write it: every second pixel, and channels of zeros."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, :, ::2, ::2], x.new_zeros(len(x), 3, 4, 4)], 1)


class Skip(nn.Module):
    """A residual block, as a student would write it."""

    def __init__(self, body: nn.Module, project: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        if project is not None:
            self.project = project

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + (self.project(x) if hasattr(self, "project") else x)


def plain(*modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(*modules)


IMAGE, VECTOR = (3, 8, 8), (12,)
#: text, input shape, and the same network in PyTorch's own layers at the same indices.
TWINS: list[tuple[str, Shape, Callable[[], nn.Module]]] = [
    (
        "4C3-K",
        IMAGE,
        lambda: plain(nn.Conv2d(3, 4, 3, padding=1), nn.Sequential(nn.Flatten(), nn.Linear(256, 5))),
    ),
    ("6C4s2p1g3-Flatten", (3, 2, 2), lambda: plain(nn.Conv2d(3, 6, 4, 2, 1, groups=3), nn.Flatten())),
    (
        "DW3s2-Flatten-K",
        IMAGE,
        lambda: plain(nn.Conv2d(3, 3, 3, 2, 1, groups=3), nn.Flatten(), nn.Linear(48, 5)),
    ),
    ("7-K", VECTOR, lambda: plain(nn.Linear(12, 7), nn.Linear(7, 5))),
    ("MaxPool3s2p1-Flatten-K", IMAGE, lambda: plain(nn.MaxPool2d(3, 2, 1), nn.Flatten(), nn.Linear(48, 5))),
    ("AvgPool3s2p1-Flatten-K", IMAGE, lambda: plain(nn.AvgPool2d(3, 2, 1), nn.Flatten(), nn.Linear(48, 5))),
    (
        "5C1-GlobalAvgPool",
        IMAGE,
        lambda: plain(nn.Conv2d(3, 5, 1), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())),
    ),
    (
        "5C1-ReLU-GlobalMaxPool",
        IMAGE,
        lambda: plain(nn.Conv2d(3, 5, 1), nn.ReLU(), nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())),
    ),
    *(
        (
            f"4C3-{text}-Flatten-K",
            IMAGE,
            lambda make=make: plain(nn.Conv2d(3, 4, 3, padding=1), make(), nn.Flatten(), nn.Linear(256, 5)),
        )
        for text, make in [
            ("BatchNorm", lambda: nn.BatchNorm2d(4)),
            ("LayerNorm", lambda: nn.LayerNorm((4, 8, 8))),
            ("InstanceNorm", lambda: nn.InstanceNorm2d(4, affine=True)),
            ("GroupNorm2", lambda: nn.GroupNorm(2, 4)),
            ("Dropout0", lambda: nn.Dropout(0.0)),
            ("ReLU", nn.ReLU),
            ("LeakyReLU0.2", lambda: nn.LeakyReLU(0.2)),
            ("ReLU6", nn.ReLU6),
            ("PReLU", nn.PReLU),
            ("ELU", nn.ELU),
            ("GELU", nn.GELU),
            ("SiLU", nn.SiLU),
            ("Softplus", nn.Softplus),
            ("Tanh", nn.Tanh),
            ("Sigmoid", nn.Sigmoid),
        ]
    ),
    *(
        (f"6-{text}-K", VECTOR, lambda make=make: plain(nn.Linear(12, 6), make(), nn.Linear(6, 5)))
        for text, make in [
            ("BatchNorm", lambda: nn.BatchNorm1d(6)),
            ("LayerNorm", lambda: nn.LayerNorm(6)),
            ("GroupNorm3", lambda: nn.GroupNorm(3, 6)),
            (
                "Res(ReLU-4-Tanh-6)",
                lambda: Skip(plain(nn.ReLU(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 6))),
            ),
            ("Flatten", nn.Flatten),
        ]
    ),
    (
        "4C3-BatchNorm-ReLU-MaxPool2-Tanh-ReLU-Res(ReLU-MaxPool2-6C3-ReLU)-ReLU-Flatten-K",
        IMAGE,
        lambda: plain(
            *(
                nn.Conv2d(3, 4, 3, padding=1),
                nn.BatchNorm2d(4),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Tanh(),
                nn.ReLU(),
            ),
            Skip(
                plain(nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU()),
                nn.Conv2d(4, 6, 1, 2),
            ),
            *(nn.ReLU(), nn.Flatten(), nn.Linear(24, 5)),
        ),
    ),
    (
        "4C3b0-DW3b0-Flatten-K",
        IMAGE,
        lambda: plain(
            nn.Conv2d(3, 4, 3, padding=1, bias=False),
            nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False),
            *(nn.Flatten(), nn.Linear(256, 5)),
        ),
    ),
    (
        "Res(6C3s2b0-BatchNorm-ReLU6-6C3b0|6C1s2b0-BatchNorm)-ReLU-Flatten-K",
        IMAGE,
        lambda: plain(
            Skip(
                plain(
                    *(nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU6()),
                    nn.Conv2d(6, 6, 3, padding=1, bias=False),
                ),
                plain(nn.Conv2d(3, 6, 1, 2, bias=False), nn.BatchNorm2d(6)),
            ),
            *(nn.ReLU(), nn.Flatten(), nn.Linear(96, 5)),
        ),
    ),
    (
        "Res(6C3s2-ReLU|MaxPool1s2-Widen6)-ReLU-Flatten-K",
        IMAGE,
        lambda: plain(
            Skip(plain(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU()), Padded()),
            *(nn.ReLU(), nn.Flatten(), nn.Linear(96, 5)),
        ),
    ),
    (
        "Res(7-ReLU)-K",
        VECTOR,
        lambda: plain(Skip(plain(nn.Linear(12, 7), nn.ReLU()), nn.Linear(12, 7)), nn.Linear(7, 5)),
    ),
]


def load(module: nn.Module, weights: dict[str, np.ndarray]) -> None:
    """By order where a twin had to wrap a layer, by name everywhere else."""
    state = {name: torch.from_numpy(value.copy()) for name, value in weights.items()}
    assert [v.shape for v in module.state_dict().values()] == [v.shape for v in state.values()]
    module.load_state_dict(dict(zip(module.state_dict(), state.values(), strict=True)))


def varied_weights(spec: s.Spec, shape: Shape, classes: int) -> dict[str, np.ndarray]:
    """Initial weights with scales and shifts that are not ones and zeros."""
    rng = np.random.default_rng(1)
    weights = initial_weights(spec, shape, classes, seed=3)
    return {
        name: value + rng.uniform(0.1, 0.4, value.shape).astype(np.float32) if value.ndim == 1 else value
        for name, value in weights.items()
    }


@pytest.mark.parametrize("batch", [6, 2])
@pytest.mark.parametrize(("text", "shape", "twin"), TWINS, ids=[text for text, _, _ in TWINS])
def test_twin_of_plain_layers(text: str, shape: Shape, twin: Callable[[], nn.Module], batch: int) -> None:
    spec = parse(text)
    ours, theirs = torch_net.build(spec, shape, 5 if "K" in text else trace_classes(text)), twin()
    weights = varied_weights(spec, shape, 5 if "K" in text else trace_classes(text))
    ours.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    load(theirs, weights)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(batch, *shape)).astype(np.float32)).round(
        decimals=1
    )
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    for training in (True, False):
        scores = []
        for module, sample in zip((ours.train(training), theirs.train(training)), inputs, strict=True):
            module.zero_grad()
            sample.grad = None
            out = module(sample)
            (out * torch.linspace(-1, 2, out.numel()).view_as(out)).sum().backward()
            scores.append(out.detach())
        torch.testing.assert_close(scores[0], scores[1], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-4, atol=1e-5)
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=2e-5, check_stride=False)
        for mine, other in zip(ours.buffers(), theirs.buffers(), strict=True):
            torch.testing.assert_close(mine, other)


def trace_classes(text: str) -> int:
    """The classes of the few networks that end without K."""
    return {"6C4s2p1g3-Flatten": 6}.get(text, 5)


def test_every_layer_kind_has_a_twin() -> None:
    def kinds(layers: tuple[s.Layer, ...]) -> set[type[s.Layer]]:
        inner = [kinds(layer.body + layer.shortcut) for layer in layers if isinstance(layer, s.Residual)]
        return {type(layer) for layer in layers}.union(*inner)

    covered = set().union(*(kinds(parse(text).layers) for text, _, _ in TWINS))
    assert covered == set(s.Layer.__subclasses__())


@pytest.mark.parametrize("name", CATALOG)
def test_initial_weights_fit_by_name_and_shape(name: str) -> None:
    spec = CATALOG[name].spec
    state = torch_net.build(spec, (1, 28, 28), 10).state_dict()
    weights = initial_weights(spec, (1, 28, 28), 10, seed=0)
    assert list(weights) == list(state)
    for key, value in weights.items():
        assert value.shape == tuple(state[key].shape)
        assert torch.from_numpy(value).dtype == state[key].dtype


def test_a_relu_and_the_pool_after_it_change_places_to_the_last_bit() -> None:
    x = torch.randn(8, 3, 9, 9).round(decimals=1).contiguous(memory_format=torch.channels_last)
    assert (x.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2)) == 0).any()  # ties and zeros are in it
    gradients = []
    for first, second in [(nn.ReLU(), nn.MaxPool2d(2)), (nn.MaxPool2d(2), nn.ReLU())]:
        leaf = x.clone().requires_grad_()
        out = second(first(leaf))
        (out * torch.arange(out.numel()).view_as(out)).sum().backward()
        gradients.append((out.detach(), leaf.grad))
    assert torch.equal(gradients[0][0], gradients[1][0])
    assert torch.equal(gradients[0][1], gradients[1][1])
    network = torch_net.build(parse("ReLU-MaxPool2-K"), (3, 9, 9), 2)
    ran: list[type] = []
    for module in network.modules():
        module.register_forward_hook(lambda m, _i, _o: ran.append(type(m)))
    network(x)
    assert ran.index(nn.MaxPool2d) < ran.index(nn.ReLU)


def test_batch_normalisation_of_a_single_vector_keeps_its_statistics() -> None:
    network = torch_net.build(parse("6-BatchNorm-K"), (12,), 3).train()
    before = {name: value.clone() for name, value in network.named_buffers()}
    scores = network(torch.randn(1, 12))
    assert torch.isfinite(scores).all()
    for name, value in network.named_buffers():
        assert torch.equal(value, before[name])


def test_dropout_follows_the_generator_and_rests_in_evaluation() -> None:
    network = torch_net.build(parse("50-Dropout0.5-K"), (12,), 3).train()
    x = torch.randn(4, 12)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(network(x).detach())
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    network.eval()
    assert torch.equal(network(x), network(x))


def test_the_input_is_left_as_it_was() -> None:
    for text in (
        "ReLU-K",
        "ReLU6-K",
        "Res(ReLU-K)-K",
        "Res(ReLU-K|ReLU-K)-K",
        "Flatten-ReLU-K",
        "Widen10-ReLU-K",
    ):
        x = torch.randn(2, 10)
        kept = x.clone()
        torch_net.build(parse(text), (10,), 10)(x)
        assert torch.equal(x, kept)
