"""The published networks of the catalog against PyTorch modules written from the papers' descriptions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from nablab.models import cost, torch_net
from nablab.models.catalog import CATALOG
from nablab.models.catalog_papers import PAPERS
from nablab.models.initial import initial_weights
from nablab.models.shapes import trace


def conv(given: int, filters: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(given, filters, kernel, stride, kernel // 2, groups=groups, bias=False)


class BasicBlock(nn.Module):
    """He et al. 2016, figure 2; projection shortcuts (option B) or padded identities (option A)."""

    def __init__(self, given: int, filters: int, stride: int, option: str) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(given, filters, 3, stride), nn.BatchNorm2d(filters)
        self.conv2, self.bn2 = conv(filters, filters, 3), nn.BatchNorm2d(filters)
        self.stride, self.added = stride, filters - given
        self.projection: nn.Module | None = None
        if self.added and option == "B":
            self.projection = nn.Sequential(conv(given, filters, 1, stride), nn.BatchNorm2d(filters))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.projection is not None:
            return functional.relu(out + self.projection(x))
        x = x[:, :, :: self.stride, :: self.stride]
        zeros = x.new_zeros(len(x), self.added, *x.shape[2:])
        return functional.relu(out + torch.cat([x, zeros], 1))


class ResNet(nn.Module):
    def __init__(self, widths: tuple[int, ...], blocks: tuple[int, ...], option: str, classes: int) -> None:
        super().__init__()
        self.stem, self.norm = conv(3, widths[0], 3), nn.BatchNorm2d(widths[0])
        parts, given = [], widths[0]
        for stage, (filters, count) in enumerate(zip(widths, blocks, strict=True)):
            for index in range(count):
                parts.append(BasicBlock(given, filters, 2 if stage and not index else 1, option))
                given = filters
        self.blocks = nn.Sequential(*parts)
        self.last = nn.Linear(given, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.blocks(functional.relu(self.norm(self.stem(x)))).mean((2, 3)))


class PreActivated(nn.Module):
    """Zagoruyko and Komodakis 2016: BN-ReLU-conv twice; a projection reads what BN-ReLU has made."""

    def __init__(self, given: int, filters: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(given), conv(given, filters, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(filters), conv(filters, filters, 3)
        self.projection = None if given == filters else conv(given, filters, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        active = functional.relu(self.bn1(x))
        out = self.conv2(functional.relu(self.bn2(self.conv1(active))))
        return out + (x if self.projection is None else self.projection(active))


class WideResNet(nn.Module):
    def __init__(self, depth: int, widening: int, classes: int) -> None:
        super().__init__()
        self.stem = conv(3, 16, 3)
        parts, given = [], 16
        for stage, filters in enumerate((16 * widening, 32 * widening, 64 * widening)):
            for index in range((depth - 4) // 6):
                parts.append(PreActivated(given, filters, 2 if stage and not index else 1))
                given = filters
        self.blocks, self.norm = nn.Sequential(*parts), nn.BatchNorm2d(given)
        self.last = nn.Linear(given, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(functional.relu(self.norm(self.blocks(self.stem(x)))).mean((2, 3)))


class InvertedResidual(nn.Module):
    """Sandler et al. 2018, table 1: widen, filter each channel, narrow without an activation."""

    def __init__(self, given: int, filters: int, stride: int, widening: int) -> None:
        super().__init__()
        wide = widening * given
        first = [conv(given, wide, 1), nn.BatchNorm2d(wide), nn.ReLU6()] if widening > 1 else []
        self.inside = nn.Sequential(
            *(*first, conv(wide, wide, 3, stride, wide), nn.BatchNorm2d(wide), nn.ReLU6()),
            *(conv(wide, filters, 1), nn.BatchNorm2d(filters)),
        )
        self.skips = stride == 1 and given == filters

    def forward(self, x: Tensor) -> Tensor:
        out = self.inside(x)
        return out + x if self.skips else out


class Averaged(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def mobilenet(classes: int) -> nn.Module:
    """Howard et al. 2017, table 1; the first convolution with stride 1."""
    rows = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *5 * [(512, 1)], (1024, 2), (1024, 1)]
    parts: list[nn.Module] = [conv(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU()]
    given = 32
    for filters, stride in rows:
        parts += [conv(given, given, 3, stride, given), nn.BatchNorm2d(given), nn.ReLU()]
        parts += [conv(given, filters, 1), nn.BatchNorm2d(filters), nn.ReLU()]
        given = filters
    return nn.Sequential(*parts, Averaged(), nn.Linear(given, classes))


def mobilenet_v2(classes: int) -> nn.Module:
    """Sandler et al. 2018, table 2 (t, c, n, s); the first two strides of 2 are 1."""
    rows = [
        *((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    ]
    parts: list[nn.Module] = [conv(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU6()]
    given = 32
    for widening, filters, count, stride in rows:
        for index in range(count):
            parts.append(InvertedResidual(given, filters, 1 if index else stride, widening))
            given = filters
    parts += [conv(given, 1280, 1), nn.BatchNorm2d(1280), nn.ReLU6()]
    return nn.Sequential(*parts, Averaged(), nn.Linear(1280, classes))


def nab_small(classes: int) -> nn.Module:
    """24-24-pool-48-48-pool-60-60, batch normalisation after each, or after its pool; global max pool."""
    parts: list[nn.Module] = []
    given = 3
    for filters in (24, 48, 60):
        for second in (False, True):
            pool = [nn.MaxPool2d(2)] if second and filters < 60 else []
            parts += [conv(given, filters, 3), *pool, nn.BatchNorm2d(filters), nn.ReLU()]
            given = filters
    return nn.Sequential(*parts, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(60, classes))


STAGES = (64, 128, 256, 512)
#: name -> the network of the paper for this many classes.
REFERENCES: dict[str, Callable[[int], nn.Module]] = {
    "resnet18": lambda classes: ResNet(STAGES, (2, 2, 2, 2), "B", classes),
    "resnet20": lambda classes: ResNet((16, 32, 64), (3, 3, 3), "A", classes),
    "resnet34": lambda classes: ResNet(STAGES, (3, 4, 6, 3), "B", classes),
    "wrn_16_4": lambda classes: WideResNet(16, 4, classes),
    "wrn_40_4": lambda classes: WideResNet(40, 4, classes),
    "mobilenet": mobilenet,
    "mobilenet_v2": mobilenet_v2,
    "nab_small": nab_small,
}
#: name -> classes, and millions of parameters as published, to the digits that are.
PUBLISHED = {
    "resnet18": (10, "11.17"),
    "resnet20": (10, "0.27"),
    "resnet34": (10, "21.28"),
    "wrn_16_4": (10, "2.7"),
    "wrn_40_4": (10, "8.9"),
    "mobilenet": (1000, "4.2"),
    "mobilenet_v2": (1000, "3.50"),
}


@pytest.fixture(scope="module", params=[entry.name for entry in PAPERS])
def pair(request: pytest.FixtureRequest) -> tuple[str, nn.Module, nn.Module]:
    """A network of ours and the paper's, for RGB images of 32 pixels, with the same weights."""
    spec, shape = CATALOG[request.param].spec, (3, 32, 32)
    ours, theirs = torch_net.build(spec, shape, 10), REFERENCES[request.param](10)
    state = {name: torch.from_numpy(value) for name, value in initial_weights(spec, shape, 10, 0).items()}
    generator = torch.Generator().manual_seed(1)
    for name, value in state.items():
        if name.endswith("weight") and value.dim() == 1:  # scales that bring some values above ReLU6's cap
            value.uniform_(0.5, 4.0, generator=generator)
    ours.load_state_dict(state)
    assert [v.shape for v in theirs.state_dict().values()] == [v.shape for v in state.values()]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), state.values(), strict=True)))
    return request.param, ours, theirs


def test_parameters_are_the_papers_to_the_unit(pair: tuple[str, nn.Module, nn.Module]) -> None:
    name, _, theirs = pair
    counted = cost.count(trace(CATALOG[name].spec, (3, 32, 32), 10)).parameters
    assert counted == sum(p.numel() for p in theirs.parameters())


def test_scores_and_gradients_are_the_papers(pair: tuple[str, nn.Module, nn.Module]) -> None:
    _, ours, theirs = pair
    # In float64: forty normalisations of three images multiply what float32 rounds.
    x = torch.randn(3, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scores = []
    for network in (ours.double().train(), theirs.double().train()):
        out = network(x)
        functional.cross_entropy(out, torch.tensor([0, 4, 9])).backward()
        scores.append(out.detach())
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-9, atol=1e-9)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-6, atol=1e-9, check_stride=False)
    with torch.no_grad():
        evaluated = ours.eval()(x), theirs.eval()(x)
    torch.testing.assert_close(*evaluated, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_that_were_published(name: str) -> None:
    classes, millions = PUBLISHED[name]
    counted = cost.count(trace(CATALOG[name].spec, (3, 32, 32), classes)).parameters / 1e6
    digits = len(millions.partition(".")[2])
    assert f"{counted:.{digits}f}" == millions
    assert millions in CATALOG[name].note or f"({millions})" in CATALOG[name].note


def test_nab_small_keeps_under_a_hundred_thousand() -> None:
    assert cost.count(trace(CATALOG["nab_small"].spec, (1, 28, 28), 10)).parameters == 95_962


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 64, 64)])
@pytest.mark.parametrize("name", [entry.name for entry in PAPERS])
def test_images_of_28_to_64_pixels_fit_with_the_same_parameters(
    name: str, shape: tuple[int, int, int]
) -> None:
    spec = CATALOG[name].spec
    rows = trace(spec, shape, 7)
    first, *rest = (row.parameters for row in rows)
    assert first == shape[0] * 9 * rows[0].output_shape[0]
    assert rest == [row.parameters for row in trace(spec, (2, 28, 28), 7)][1:]
    assert rows[-1].output_shape == (7,)
    pooled = next(row for row in rows if row.layer.startswith("Global"))
    assert min(pooled.input_shape[1:]) > 1
    network = torch_net.build(spec, shape, 7).to("meta")  # shapes only: nothing is computed
    with FlopCounterMode(display=False) as counter:
        scores = network(torch.empty(2, *shape, device="meta"))
    assert scores.shape == (2, 7)
    assert counter.get_total_flops() == 2 * cost.count(rows).flops
