"""Every layer and loss beside its twin in torch.nn: state both ways, values, gradients, statistics."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from nablab import autograd
from nablab.autograd import AutogradError, nn

IMAGES, ROWS = (4, 6, 8, 8), (5, 6)

#: name: (how it is built with either nn, the shape of its input)
LAYERS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "Linear": (lambda nn: nn.Linear(6, 3), ROWS),
    "Linear without bias": (lambda nn: nn.Linear(6, 3, bias=False), ROWS),
    "Conv2d": (lambda nn: nn.Conv2d(6, 4, 3, padding=1), IMAGES),
    "Conv2d strided, grouped": (lambda nn: nn.Conv2d(6, 4, (3, 2), stride=2, groups=2, bias=False), IMAGES),
    "Conv2d dilated": (lambda nn: nn.Conv2d(6, 4, 3, dilation=2, padding="same"), IMAGES),
    "BatchNorm1d": (lambda nn: nn.BatchNorm1d(6), ROWS),
    "BatchNorm2d": (lambda nn: nn.BatchNorm2d(6, eps=1e-3, momentum=0.3), IMAGES),
    "BatchNorm2d plain": (lambda nn: nn.BatchNorm2d(6, affine=False), IMAGES),
    "BatchNorm2d without memory": (lambda nn: nn.BatchNorm2d(6, track_running_stats=False), IMAGES),
    "BatchNorm2d of all batches": (lambda nn: nn.BatchNorm2d(6, momentum=None), IMAGES),
    "LayerNorm without bias": (lambda nn: nn.LayerNorm(6, bias=False), ROWS),
    "LayerNorm": (lambda nn: nn.LayerNorm(6), ROWS),
    "LayerNorm of images": (lambda nn: nn.LayerNorm([6, 8, 8], elementwise_affine=False), IMAGES),
    "GroupNorm": (lambda nn: nn.GroupNorm(3, 6), IMAGES),
    "InstanceNorm2d": (lambda nn: nn.InstanceNorm2d(6), IMAGES),
    "InstanceNorm2d by position": (lambda nn: nn.InstanceNorm2d(6, 1e-3, 0.2, True), IMAGES),
    "InstanceNorm2d with scale": (lambda nn: nn.InstanceNorm2d(6, affine=True), IMAGES),
    "Dropout 0": (lambda nn: nn.Dropout(0.0), ROWS),
    "Dropout 1": (lambda nn: nn.Dropout(1.0), ROWS),
    "Flatten": (lambda nn: nn.Flatten(), IMAGES),
    "Identity": (lambda nn: nn.Identity(), ROWS),
    "MaxPool2d": (lambda nn: nn.MaxPool2d(2), IMAGES),
    "MaxPool2d overlapping": (lambda nn: nn.MaxPool2d(3, stride=2, padding=1), IMAGES),
    "MaxPool2d over the edge": (lambda nn: nn.MaxPool2d(3, stride=2, ceil_mode=True), IMAGES),
    "MaxPool2d hardly over the edge": (lambda nn: nn.MaxPool2d((2, 1), 3, (1, 0), ceil_mode=True), IMAGES),
    "MaxPool2d that fits": (lambda nn: nn.MaxPool2d(2, ceil_mode=True), IMAGES),
    "AvgPool2d": (lambda nn: nn.AvgPool2d(2), IMAGES),
    "AvgPool2d inside": (lambda nn: nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGES),
    "AdaptiveAvgPool2d": (lambda nn: nn.AdaptiveAvgPool2d((3, 1)), IMAGES),
    "AdaptiveAvgPool2d, height kept": (lambda nn: nn.AdaptiveAvgPool2d((None, 1)), IMAGES),
    "AdaptiveMaxPool2d": (lambda nn: nn.AdaptiveMaxPool2d(3), IMAGES),
    "AdaptiveMaxPool2d, width kept": (lambda nn: nn.AdaptiveMaxPool2d((2, None)), IMAGES),
    "ConvTranspose2d": (lambda nn: nn.ConvTranspose2d(6, 4, 3), IMAGES),
    "ConvTranspose2d strided": (
        lambda nn: nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1, bias=False),
        IMAGES,
    ),
    "ConvTranspose2d of all kinds": (
        lambda nn: nn.ConvTranspose2d(
            6, 4, (3, 2), stride=(2, 3), padding=(1, 2), output_padding=(1, 2), groups=2, dilation=(2, 1)
        ),
        IMAGES,
    ),
    "Upsample": (lambda nn: nn.Upsample(scale_factor=2), IMAGES),
    "Upsample to a size": (lambda nn: nn.Upsample(size=(16, 8)), IMAGES),
    "Upsample a side": (lambda nn: nn.Upsample(scale_factor=(1, 3), mode="nearest"), IMAGES),
    "ZeroPad2d": (lambda nn: nn.ZeroPad2d((1, 0, 2, 3)), IMAGES),
    "ZeroPad2d all round": (lambda nn: nn.ZeroPad2d(2), IMAGES),
    "Unflatten": (lambda nn: nn.Unflatten(1, (2, 3)), IMAGES),
    "Dropout2d 0": (lambda nn: nn.Dropout2d(0.0), IMAGES),
    "Dropout2d 1": (lambda nn: nn.Dropout2d(1.0), IMAGES),
    "ReLU": (lambda nn: nn.ReLU(), ROWS),
    "ReLU6": (lambda nn: nn.ReLU6(), ROWS),
    "LeakyReLU": (lambda nn: nn.LeakyReLU(0.1), ROWS),
    "PReLU": (lambda nn: nn.PReLU(), ROWS),
    "PReLU a channel": (lambda nn: nn.PReLU(6, init=0.1), IMAGES),
    "SELU": (lambda nn: nn.SELU(inplace=False), ROWS),
    "Mish": (lambda nn: nn.Mish(), ROWS),
    "Hardtanh": (lambda nn: nn.Hardtanh(-0.5, 0.7), ROWS),
    "Hardswish": (lambda nn: nn.Hardswish(), ROWS),
    "Softsign": (lambda nn: nn.Softsign(), ROWS),
    "ELU": (lambda nn: nn.ELU(0.5), ROWS),
    "GELU": (lambda nn: nn.GELU(), ROWS),
    "GELU tanh": (lambda nn: nn.GELU(approximate="tanh"), ROWS),
    "SiLU": (lambda nn: nn.SiLU(), ROWS),
    "Softplus": (lambda nn: nn.Softplus(beta=2.0), ROWS),
    "Tanh": (lambda nn: nn.Tanh(), ROWS),
    "Sigmoid": (lambda nn: nn.Sigmoid(), ROWS),
    "LogSigmoid": (lambda nn: nn.LogSigmoid(), ROWS),
    "Softmax": (lambda nn: nn.Softmax(dim=1), ROWS),
    "LogSoftmax": (lambda nn: nn.LogSoftmax(dim=0), ROWS),
    "Sequential": (
        lambda nn: nn.Sequential(
            nn.Conv2d(6, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5)
        ),
        IMAGES,
    ),
    "ModuleList": (lambda nn: _chain(nn)(), ROWS),
}


def _chain(nn: Any) -> Any:
    class Chain(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.steps = nn.ModuleList([nn.Linear(6, 6), nn.Tanh()])
            self.steps.append(nn.Linear(6, 2))
            self.scale = nn.Parameter(torch.ones(2) if nn is torch.nn else autograd.ones(2))
            self.rates = nn.ParameterList(
                [nn.Parameter(torch.ones(1) if nn is torch.nn else autograd.ones(1))]
            )

        def forward(self, x: Any) -> Any:
            for step in self.steps:
                x = step(x)
            return x * self.scale * self.rates[0]

    return Chain


def twins(name: str) -> tuple[Any, Any]:
    """Ours and PyTorch's with the same float64 values."""
    ours, theirs = LAYERS[name][0](nn).double(), LAYERS[name][0](torch.nn).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def assert_same(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_as_torch(name: str) -> None:
    ours, theirs = twins(name)
    shape = LAYERS[name][1]
    rng = np.random.default_rng(3)
    for _ in range(2):  # the second time with moved running statistics
        x = rng.normal(size=shape)
        a, b = autograd.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        out, reference = ours(a), theirs(b)
        assert_same(out, reference)
        g = rng.normal(size=out.shape)
        out.backward(autograd.tensor(g))
        reference.backward(torch.tensor(g))
        assert_same(a.grad, b.grad)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_same(p.grad, q.grad)
    for (left, p), (right, q) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
        assert left == right
        assert_same(p, q)
    assert_same(ours.eval()(a), theirs.eval()(b))


@pytest.mark.parametrize("name", LAYERS)
def test_state_goes_to_torch_and_back(name: str) -> None:
    ours = LAYERS[name][0](nn)
    theirs = LAYERS[name][0](torch.nn)
    state = ours.state_dict()
    theirs.load_state_dict(
        {key: torch.from_numpy(value.numpy()) for key, value in state.items()}, strict=True
    )
    again = LAYERS[name][0](nn)
    again.load_state_dict(theirs.state_dict())
    for key, value in again.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), state[key].numpy())


@pytest.mark.parametrize("name", ["Linear", "Conv2d", "BatchNorm2d", "Dropout 0", "LeakyReLU", "Sequential"])
def test_printed_like_torch(name: str) -> None:
    ours, theirs = repr(LAYERS[name][0](nn)), repr(LAYERS[name][0](torch.nn))
    assert re.findall(r"\w+(?=\()|\(\w+\): ", ours) == re.findall(r"\w+(?=\()|\(\w+\): ", theirs)
    assert all(part in theirs for part in re.findall(r"\w+=[^,)]+", ours))


LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "CrossEntropyLoss": lambda nn, t: nn.CrossEntropyLoss(
        t([1.0, 2.0, 0.5]), ignore_index=1, label_smoothing=0.1
    ),
    "NLLLoss": lambda nn, t: nn.NLLLoss(t([1.0, 2.0, 0.5]), reduction="sum"),
    "BCELoss": lambda nn, t: nn.BCELoss(t([1.0, 2.0, 0.5])),
    "BCEWithLogitsLoss": lambda nn, t: nn.BCEWithLogitsLoss(pos_weight=t([1.0, 2.0, 0.5])),
    "MSELoss": lambda nn, t: nn.MSELoss(),
    "L1Loss": lambda nn, t: nn.L1Loss(reduction="none"),
    "HuberLoss": lambda nn, t: nn.HuberLoss(delta=0.3),
    "SmoothL1Loss": lambda nn, t: nn.SmoothL1Loss(beta=0.3),
    "KLDivLoss": lambda nn, t: nn.KLDivLoss(reduction="batchmean"),
    "KLDivLoss of logarithms": lambda nn, t: nn.KLDivLoss(reduction="sum", log_target=True),
    "MultiMarginLoss": lambda nn, t: nn.MultiMarginLoss(),
    "MultiMarginLoss squared": lambda nn, t: nn.MultiMarginLoss(
        2, margin=0.3, weight=t([1.0, 2.0, 0.5]), reduction="none"
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss_as_torch(name: str) -> None:
    rng = np.random.default_rng(5)
    x = rng.uniform(0.1, 0.9, (4, 3))
    of_classes = name.split()[0] in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss")
    target = np.array([0, 2, 1, 0]) if of_classes else rng.uniform(0, 1, (4, 3))
    values = []
    for m in (autograd, torch):
        loss = LOSSES[name](m.nn, lambda v, m=m: m.tensor(v).double())
        a = m.tensor(x, requires_grad=True)
        out = loss(a, m.tensor(target))
        out.sum().backward()
        values.append((out, a.grad))
    assert_same(values[0][0], values[1][0])
    assert_same(values[0][1], values[1][1])


def test_every_layer_and_loss_is_tested() -> None:
    kinds = {type(LAYERS[name][0](nn)).__name__ for name in LAYERS} | {name.split()[0] for name in LOSSES}
    classes = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    assert classes - kinds == {
        "CosineSimilarity", "Embedding", "Module", "ModuleDict", "ModuleList", "Parameter", "ParameterDict",
        "ParameterList"
    }  # fmt: skip


# Modules.


@pytest.mark.parametrize("name", ["Linear", "Conv2d"])
def test_initial_weights_have_torch_distributions(name: str) -> None:
    """Evenly within a bound: of 400 layers, the values of ours and of PyTorch's follow one distribution."""
    autograd.manual_seed(0)
    torch.manual_seed(0)
    drawn = []
    for nn_of_engine in (nn, torch.nn):
        layers = [LAYERS[name][0](nn_of_engine) for _ in range(400)]
        drawn.append(
            [
                np.stack([getattr(layer, part).detach().numpy() for layer in layers])
                for part in ("weight", "bias")
            ]
        )
    for ours, theirs in zip(*drawn, strict=True):
        bound = 1 / np.sqrt(np.prod(drawn[0][0].shape[2:]))
        assert np.abs(ours).max() <= bound
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.01)
        assert ours.std() == pytest.approx(theirs.std(), rel=0.05)
        assert ours.mean() == pytest.approx(0, abs=0.05 * bound)


@pytest.mark.parametrize(
    "name",
    [
        "kaiming_uniform_",
        "kaiming_normal_",
        "xavier_uniform_",
        "xavier_normal_",
        "uniform_",
        "normal_",
        "ones_",
        "zeros_",
    ],
)
def test_initialisers_have_torch_deviations(name: str) -> None:
    ours = getattr(nn.init, name)(autograd.zeros(200, 100, 2, 2, dtype="float64")).numpy()
    theirs = getattr(torch.nn.init, name)(torch.zeros(200, 100, 2, 2)).numpy()
    assert ours.std() == pytest.approx(float(theirs.std()), rel=0.02)
    assert ours.mean() == pytest.approx(float(theirs.mean()), abs=0.02)
    assert np.abs(ours).max() == pytest.approx(float(np.abs(theirs).max()), rel=0.25)


@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize("nonlinearity", ["relu", "leaky_relu", "linear", "tanh", "sigmoid", "selu"])
def test_kaiming_by_fan_and_gain(mode: str, nonlinearity: str) -> None:
    for name in ("kaiming_uniform_", "kaiming_normal_"):
        spreads = [
            float(
                getattr(m.nn.init, name)(
                    m.zeros(300, 60, 3), a=0.5, mode=mode, nonlinearity=nonlinearity
                ).std()
            )
            for m in (autograd, torch)
        ]
        assert spreads[0] == pytest.approx(spreads[1], rel=0.02)


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0, 1, -2, 2), (0.5, 0.3, 0.4, 0.6), (0, 0.02, -2, 2)])
def test_truncated_normal_values_follow_scipy(mean: float, std: float, a: float, b: float) -> None:
    from scipy.stats import kstest, truncnorm

    autograd.manual_seed(0)
    drawn = nn.init.trunc_normal_(autograd.zeros(100, 50, dtype="float64"), mean, std, a, b).numpy().ravel()
    expected = truncnorm((a - mean) / std, (b - mean) / std, mean, std)
    assert kstest(drawn, expected.cdf).pvalue > 0.01


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (3, 2, 2, 2)])
def test_orthogonal_weights_as_in_torch(shape: tuple[int, ...]) -> None:
    for m in (autograd, torch):
        w = m.nn.init.orthogonal_(m.zeros(*shape, dtype=m.float64), gain=2.0).reshape(shape[0], -1).numpy()
        smaller = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
        np.testing.assert_allclose(smaller, 4 * np.eye(len(smaller)), atol=1e-12)


def test_identity_and_fans_as_in_torch() -> None:
    for shape in ((2, 3), (3, 3)):
        assert nn.init.eye_(autograd.ones(*shape)).tolist() == torch.nn.init.eye_(torch.ones(shape)).tolist()
    for shape in ((4, 3), (6, 2, 3, 5)):
        fans = [m.nn.init._calculate_fan_in_and_fan_out(m.zeros(*shape)) for m in (autograd, torch)]
        assert fans[0] == fans[1]
    for call in (nn.init.eye_, nn.init.orthogonal_, lambda w: nn.init.trunc_normal_(w, 9.0, 0.1)):
        with pytest.raises(AutogradError):
            call(autograd.zeros(3))


def test_initialisers_that_are_not_known() -> None:
    for options, word in (({"mode": "fan"}, "fan_in"), ({"nonlinearity": "rleu"}, "did you mean relu")):
        with pytest.raises(AutogradError, match=word):
            nn.init.kaiming_normal_(autograd.zeros(2, 2), **options)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"])
def test_a_column_held_against_a_row_is_warned_of(name: str) -> None:
    for m in (autograd, torch):
        with pytest.warns(UserWarning, match="broadcast"):
            getattr(m.nn.functional, name)(m.zeros(3, 1), m.ones(3))


def test_seed_repeats() -> None:
    draws = []
    for _ in range(2):
        autograd.manual_seed(7)
        tensors = [
            nn.Linear(3, 2).weight,
            nn.functional.dropout(autograd.ones(9)),
            autograd.randn(2),
            autograd.rand(2),
            autograd.randperm(5),
            autograd.randint(0, 9, (3,)),
        ]
        draws.append([tensor.tolist() for tensor in tensors])
    assert draws[0] == draws[1]


def test_dropout() -> None:
    drop = nn.Dropout(0.25, generator=np.random.default_rng(0))
    x = autograd.ones(200, 100, requires_grad=True)
    out = drop(x)
    assert set(np.unique(out.detach().numpy())) == {np.float32(0), np.float32(4 / 3)}
    assert (out == 0).value.mean() == pytest.approx(0.25, abs=0.01)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), out.detach().numpy())
    assert drop.eval()(x) is x


def test_attributes_and_walks() -> None:
    net = _chain(nn)()
    assert [name for name, _ in net.named_modules()] == [
        "",
        "steps",
        "steps.0",
        "steps.1",
        "steps.2",
        "rates",
    ]
    assert [name for name, _ in net.named_children()] == ["steps", "rates"]
    assert len(list(net.parameters())) == 6
    shared = nn.Sequential({"a": net.steps[0], "b": net.steps[0]})
    assert len(list(shared.parameters())) == 2
    assert len(shared) == 2
    assert list(shared.state_dict()) == ["a.weight", "a.bias", "b.weight", "b.bias"]
    seen: list[str] = []
    net.apply(lambda module: seen.append(type(module).__name__))
    assert seen[-1] == "Chain"
    net.requires_grad_(False)
    assert not net(autograd.ones(2, 6)).requires_grad
    net.scale = None
    assert "scale" not in dict(net.named_parameters())
    net.eval()
    assert not any(module.training for module in net.modules())


@pytest.mark.parametrize("n", [nn, torch.nn], ids=["ours", "torch"])
def test_parts_replaced_and_removed(n: Any) -> None:
    net = n.Sequential(n.Linear(6, 5), n.ReLU(), n.Linear(5, 2))
    setattr(net, "0", n.Linear(6, 5))  # its place in the order stays
    net[0].weight = n.Parameter(net[0].weight.detach() * 2)
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    with pytest.raises((AutogradError, TypeError), match="weight"):
        net[0].weight = net[0].weight.detach() * 2
    assert list(net[1:].state_dict()) == ["2.weight", "2.bias"]
    assert type(net[:2]) is n.Sequential
    assert len(n.ModuleList(net)[:2]) == 2
    del net[2].bias
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "2.weight"]
    delattr(net, "0")
    assert [name for name, _ in net.named_children()] == ["1", "2"]


@pytest.mark.parametrize("m", [autograd, torch], ids=["ours", "torch"])
def test_options_of_forward_and_conversions(m: Any) -> None:
    class Scaled(m.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = m.nn.Linear(2, 1)

        def forward(self, x: Any, *, scale: float = 1.0) -> Any:
            return scale * self.layer(x)

    net = Scaled().to("cpu")
    x = m.ones(1, 2)
    assert net(x, scale=3.0).item() == pytest.approx(3 * net(x).item())
    net(x).sum().backward()
    net.to(m.float64)
    assert net.layer.weight.grad.dtype == net.layer.weight.dtype == m.float64
    assert net(x.to(dtype=m.float64, device="cpu")).dtype == m.float64


def test_modules_stay_on_the_cpu_and_in_floating_numbers() -> None:
    for what, word in (("cuda", "CPU"), ("int64", "floating")):
        with pytest.raises(AutogradError, match=word):
            nn.Linear(1, 1).to(what)


def test_zero_grad() -> None:
    layer = nn.Linear(2, 2)
    layer(autograd.ones(1, 2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0, 0], [0, 0]]
    layer.zero_grad()
    assert layer.weight.grad is None


def test_forgotten_super() -> None:
    class Careless(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match="super"):
        Careless()
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)


def test_state_that_does_not_fit_changes_nothing() -> None:
    layer = nn.Linear(2, 2)
    before = layer.weight.tolist()
    with pytest.raises(AutogradError, match="extra is unknown"):
        layer.load_state_dict({"weight": np.zeros((2, 2)), "bias": np.zeros(2), "extra": np.zeros(1)})
    assert layer.weight.tolist() == before
    keys = layer.load_state_dict({"weight": np.zeros((2, 2)), "extra": np.zeros(1)}, strict=False)
    assert keys == (["bias"], ["extra"])
    assert layer.weight.tolist() == [[0, 0], [0, 0]]


def test_one_hot() -> None:
    classes = np.array([2, 0, 1])
    ours = nn.functional.one_hot(autograd.tensor(classes), 4)
    assert ours.tolist() == torch.nn.functional.one_hot(torch.tensor(classes), 4).tolist()
    assert nn.functional.one_hot(autograd.tensor(classes)).shape == (3, 3)


FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "relu inplace": lambda F, x: F.relu(x, inplace=True),
    "leaky_relu": lambda F, x: F.leaky_relu(x, 0.2, inplace=False),
    "dropout by position": lambda F, x: F.dropout(x, 0.0, True, False),
    "dropout in evaluation": lambda F, x: F.dropout2d(x, 0.7, training=False),
    "normalize": lambda F, x: F.normalize(x, 2, 1),
    "normalize by sums": lambda F, x: F.normalize(x, p=1.0, dim=-1),
    "cosine_similarity": lambda F, x: F.cosine_similarity(x, x * x + 1),
    "instance_norm": lambda F, x: F.instance_norm(x, eps=1e-3),
    "interpolate": lambda F, x: F.interpolate(x, scale_factor=2),
    "kl_div": lambda F, x: F.kl_div(F.log_softmax(x, 1), F.softmax(x * 2, 1), reduction="none"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_as_torch(name: str) -> None:
    values = np.random.default_rng(4).normal(size=IMAGES)
    found = []
    for m in (autograd, torch):
        x = m.tensor(values, requires_grad=True)
        out = FUNCTIONS[name](m.nn.functional, x * 1.0)
        (out * out).sum().backward()
        found.append((out, x.grad))
    assert_same(found[0][0], found[1][0])
    assert_same(found[0][1], found[1][1])


def test_cosine_similarity_of_short_and_of_zero_vectors() -> None:
    values = np.array([[3.0, 4.0], [0.0, 0.0], [1e-9, 0.0]])
    found = []
    for m in (autograd, torch):
        a, b = m.tensor(values, requires_grad=True), m.tensor(values[::-1].copy())
        found.append(m.nn.CosineSimilarity(dim=1)(a, b))
    assert_same(*found)


@pytest.mark.parametrize("padding_idx", [None, 2])
def test_embedding_as_torch(padding_idx: int | None) -> None:
    weight, numbers = np.random.default_rng(1).normal(size=(5, 3)), np.array([[1, 2, 2], [4, 0, 1]])
    found = []
    for m in (autograd, torch):
        layer = m.nn.Embedding(5, 3, padding_idx=padding_idx).double()
        if padding_idx is not None:
            assert layer.weight[padding_idx].tolist() == [0, 0, 0]
        layer.load_state_dict({"weight": m.tensor(weight)})
        out = layer(m.tensor(numbers))
        (out * out).sum().backward()
        found.append((out, layer.weight.grad))
    assert_same(found[0][0], found[1][0])
    assert_same(found[0][1], found[1][1])


def test_whole_channels_are_dropped() -> None:
    x = autograd.ones(50, 40, 3, 3, requires_grad=True)
    out = nn.Dropout2d(0.25, generator=np.random.default_rng(0))(x)
    channels = out.detach().numpy().reshape(2000, 9)
    assert (channels == channels[:, :1]).all()
    assert set(np.unique(channels)) == {np.float32(0), np.float32(4 / 3)}
    assert (channels[:, 0] == 0).mean() == pytest.approx(0.25, abs=0.03)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), out.detach().numpy())


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "padding": (lambda m: m.nn.functional.avg_pool2d(m.ones(1, 1, 4, 4), 2, padding=2), "half"),
    "huber": (lambda m: m.nn.functional.huber_loss(m.ones(2), m.ones(2), delta=0.0), "delta|positive"),
    "smooth": (lambda m: m.nn.functional.smooth_l1_loss(m.ones(2), m.ones(2), beta=-1.0), "beta|negative"),
    "dropout": (lambda m: m.nn.Dropout(1.5), "between 0 and 1"),
    "mean of squares": (lambda m: m.nn.MSELoss(reduction="avg")(m.ones(2), m.ones(2)), "avg"),
    "cross entropy": (
        lambda m: m.nn.CrossEntropyLoss(reduction="Mean")(m.ones(2, 3), m.tensor([0, 1])),
        "Mean",
    ),
    "negative log likelihood": (
        lambda m: m.nn.functional.nll_loss(m.ones(2, 3), m.tensor([0, 1]), reduction="avg"),
        "avg",
    ),
    "bool classes": (
        lambda m: m.nn.functional.cross_entropy(m.ones(2, 3), m.tensor([True, False])),
        "Bool|bool",
    ),
    "embedding": (lambda m: m.nn.Embedding(3, 2)(m.tensor([3])), "range|0 to 2"),
}


@pytest.mark.parametrize("m", [autograd, torch], ids=["ours", "torch"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_by_torch(name: str, m: Any) -> None:
    call, word = REFUSED[name]
    with pytest.raises(AutogradError if m is autograd else Exception, match=word):
        call(m)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: nn.Upsample(scale_factor=1.5)(autograd.ones(1, 1, 2, 2)), "whole number"),
        (lambda: nn.Upsample(size=3)(autograd.ones(1, 1, 2, 2)), "whole number"),
        (lambda: nn.Upsample(scale_factor=2, mode="bilinear")(autograd.ones(1, 1, 2, 2)), "nearest"),
        (lambda: nn.InstanceNorm2d(2, track_running_stats=True), "running"),
        (lambda: nn.functional.instance_norm(autograd.ones(1, 1, 2, 2), use_input_stats=False), "running"),
        (lambda: nn.Embedding(3, 2)(autograd.ones(1)), "whole numbers"),
    ],
)
def test_misuse_of_layers(call: Callable[[], Any], word: str) -> None:
    with pytest.raises(AutogradError, match=word):
        call()


def test_the_mean_of_a_divergence_is_warned_of() -> None:
    for m in (autograd, torch):
        with pytest.warns(UserWarning, match="batchmean"):
            m.nn.functional.kl_div(m.zeros(2, 2), m.ones(2, 2))
