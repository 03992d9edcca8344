"""Steps of ours, held against a plain PyTorch loop; what a user's module may do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy as torch_cross_entropy

from nablab.errors import UserError
from nablab.models.model import Model
from nablab.training.feed import TrainingData, batches
from nablab.training.recipe import Recipe
from nablab.training.torch_trainable import TorchTrainable, make_trainable
from nablab.training.trainable import Batch

DataFor = Callable[[Recipe], TrainingData]
LR = 0.01

#: Each optimiser, and how PyTorch's is made by hand.
OPTIMIZERS = {
    "sgd": (
        {"optimizer": "sgd", "momentum": 0.0},
        lambda p: torch.optim.SGD(p, lr=LR),
    ),
    "momentum": (
        {"optimizer": "sgd", "momentum": 0.8, "weight_decay": 0.1},
        lambda p: torch.optim.SGD(p, lr=LR, momentum=0.8, weight_decay=0.1),
    ),
    "nesterov": (
        {"optimizer": "sgd", "momentum": 0.8, "nesterov": True},
        lambda p: torch.optim.SGD(p, lr=LR, momentum=0.8, nesterov=True),
    ),
    "adam": (
        {"optimizer": "adam", "beta1": 0.8, "beta2": 0.99, "weight_decay": 0.1},
        lambda p: torch.optim.Adam(p, lr=LR, betas=(0.8, 0.99), weight_decay=0.1),
    ),
    "adamw": (
        {"optimizer": "adamw", "weight_decay": 0.1},
        lambda p: torch.optim.AdamW(p, lr=LR, weight_decay=0.1),
    ),
    "rmsprop": (
        {"optimizer": "rmsprop", "momentum": 0.5},
        lambda p: torch.optim.RMSprop(p, lr=LR, momentum=0.5),
    ),
}


def module_model(module: Callable[[], nn.Module], name: str = "User") -> Model:
    return Model(name, f"user.py:{name}", "module", name, factory=lambda shape, classes: module())


def small() -> nn.Module:
    """No ReLU: its kink would turn roundings into differences."""
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(27, 4)
    )


def steps(data: TrainingData, recipe: Recipe, count: int) -> Iterator[Batch]:
    epoch = 0
    while True:
        for batch in batches(data, recipe, epoch):
            yield batch
            count -= 1
            if count == 0:
                return
        epoch += 1


def trained(model: Model, data: TrainingData, recipe: Recipe, count: int) -> TorchTrainable:
    net = make_trainable(model, data, recipe)
    for batch in steps(data, recipe, count):
        net.step(batch, LR)
    return net


def plain_loop(
    data: TrainingData,
    recipe: Recipe,
    count: int,
    optimizer: Callable[..., torch.optim.Optimizer],
    loss: Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor],
    clip: float = 0,
) -> dict[str, np.ndarray]:
    """The loop that everybody writes, on the same batches."""
    torch.manual_seed(recipe.seed)
    module = small()
    chosen = optimizer(module.parameters())
    for batch in steps(data, recipe, count):
        chosen.zero_grad()
        loss(module, torch.from_numpy(batch.x), torch.from_numpy(batch.y)).backward()
        if clip:
            nn.utils.clip_grad_norm_(module.parameters(), clip)
        chosen.step()
    return {name: value.numpy() for name, value in module.state_dict().items()}


def cross_entropy(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch_cross_entropy(module(x), y)


def assert_same(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], atol: float = 1e-6) -> None:
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_are_those_of_a_plain_loop(data_for: DataFor, name: str) -> None:
    numbers, optimizer = OPTIMIZERS[name]
    recipe = Recipe(batch_size=16, lr=LR).but(**{"weight_decay": 0.0, **numbers})
    data = data_for(recipe)
    ours = trained(module_model(small), data, recipe, 50).weights()
    assert_same(ours, plain_loop(data, recipe, 50, optimizer, cross_entropy))


def smoothed(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch_cross_entropy(module(x), y, label_smoothing=0.2)


def lasso(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    penalty = sum(p.abs().sum() for name, p in module.named_parameters() if "bias" not in name)
    return torch_cross_entropy(module(x), y) + 0.01 * penalty


@pytest.mark.parametrize(
    ("numbers", "loss", "clip"),
    [
        ({"label_smoothing": 0.2}, smoothed, 0),
        ({"l1": 0.01}, lasso, 0),
        ({"clip_norm": 0.05}, cross_entropy, 0.05),
        ({"clip_norm": 0.05, "l1": 0.01}, lasso, 0.05),
    ],
)
def test_what_is_added_to_the_loss_is_what_it_says(
    data_for: DataFor, numbers: dict[str, float], loss: Callable[..., torch.Tensor], clip: float
) -> None:
    recipe = Recipe(batch_size=16, optimizer="sgd", momentum=0, weight_decay=0).but(**numbers)
    data = data_for(recipe)
    ours = trained(module_model(small), data, recipe, 30).weights()
    theirs = plain_loop(data, recipe, 30, lambda p: torch.optim.SGD(p, lr=LR), loss, clip)
    without = plain_loop(data, recipe, 30, lambda p: torch.optim.SGD(p, lr=LR), cross_entropy)
    assert_same(ours, theirs)
    assert np.abs(ours["4.weight"] - without["4.weight"]).max() > 1e-4


def test_class_weights_are_balanced_ones() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    from nablab.training.class_weights import balanced

    y = np.array([0] * 5 + [1] * 3 + [2] * 2)
    reference = compute_class_weight("balanced", classes=np.arange(3), y=y)
    np.testing.assert_allclose(balanced(np.bincount(y)), reference, rtol=1e-6)
    assert balanced(np.array([4, 0])).tolist() == [0.5, 0]


def test_class_weights_enter_the_loss(data_for: DataFor) -> None:
    recipe = Recipe(batch_size=16, optimizer="sgd", momentum=0, weight_decay=0, class_weights="balanced")
    data = data_for(recipe)
    lopsided = TrainingData(**{**vars(data), "train": data.train.first(50)})
    counts = lopsided.class_counts()
    assert len(set(counts.tolist())) > 1
    weight = torch.from_numpy((50 / (4 * counts)).astype(np.float32))

    def weighted(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch_cross_entropy(module(x), y, weight=weight)

    ours = trained(module_model(small), lopsided, recipe, 20).weights()
    theirs = plain_loop(lopsided, recipe, 20, lambda p: torch.optim.SGD(p, lr=LR), weighted)
    assert_same(ours, theirs)


def test_a_step_reports_plain_cross_entropy_and_hits(data_for: DataFor) -> None:
    recipe = Recipe(batch_size=16, label_smoothing=0.3, l1=0.1)
    data = data_for(recipe)
    net = make_trainable(module_model(small), data, recipe)
    batch = next(batches(data, recipe, 0))
    logits = torch.from_numpy(net.scores(batch.x))
    result = net.step(batch, LR)
    assert result.loss == pytest.approx(
        torch_cross_entropy(logits, torch.from_numpy(batch.y)).item(), rel=1e-5
    )
    assert result.correct == int((logits.argmax(1).numpy() == batch.y).sum())
    assert result.size == 16


def test_l1_spares_biases_normalisations_and_slopes() -> None:
    from nablab.training.objective import penalised

    module = nn.Sequential(
        *(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.PReLU(), nn.LayerNorm([3, 4, 4]), nn.GroupNorm(1, 3)),
        *(nn.InstanceNorm2d(3, affine=True), nn.Flatten(), nn.Linear(48, 4)),
    )
    assert [id(p) for p in penalised(module)] == [id(module[0].weight), id(module[7].weight)]


def test_averages_are_those_of_pytorch(data_for: DataFor, noisy: Model) -> None:
    """Weights as AveragedModel's; the running statistics are averaged with them."""
    recipe = Recipe(batch_size=16)
    data = data_for(recipe)
    net = make_trainable(noisy, data, recipe)
    sums: dict[str, np.ndarray] = {}
    for count, batch in enumerate(steps(data, recipe, 12), start=1):
        net.step(batch, LR)
        current = {name[6:]: v for name, v in net.state().items() if name.startswith("model/")}
        sums = {name: sums.get(name, 0) + value.astype(np.float64) for name, value in current.items()}
        net.average(1 / count)
    averaged = net.weights()
    for name, value in averaged.items():
        if name.endswith("num_batches_tracked"):
            assert value == 12
        else:
            np.testing.assert_allclose(value, sums[name] / 12, atol=1e-6)
    scores = net.scores(data.test.all())
    net.load_weights(averaged)
    np.testing.assert_allclose(net.scores(data.test.all()), scores, atol=1e-5)
    assert not any(name.startswith("average/") for name in net.state())


class Sharing(nn.Module):
    """Tied weights, a layer with two names, and a mask of infinities."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.tied, self.out = nn.Linear(72, 72), nn.Linear(72, 72), nn.Linear(72, 4)
        self.tied.weight = self.first.weight
        self.again = self.first
        self.register_buffer("mask", torch.tensor([0.0, 0.0, 0.0, -torch.inf]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.again(self.tied(self.first(x.flatten(1)).tanh()).tanh()).tanh()
        return self.out(x) + self.mask.clamp(min=-1)


def test_averages_of_shared_weights_stay_shared(data_for: DataFor) -> None:
    recipe = Recipe(batch_size=16)
    data = data_for(recipe)
    x = data.test.all()

    def averaged(net: TorchTrainable, first: int) -> TorchTrainable:
        for count, batch in enumerate(steps(data, recipe, 6), start=1):
            if count >= first:
                net.step(batch, LR)
                net.average(1 / count)
                net.scores(x)
            if first == 1 and count == 3:
                return net
        return net

    whole = averaged(averaged(make_trainable(module_model(Sharing), data, recipe), 1), 4)
    resumed = make_trainable(module_model(Sharing), data, recipe)
    resumed.load(averaged(make_trainable(module_model(Sharing), data, recipe), 1).state())
    averaged(resumed, 4)
    assert whole.state().keys() == resumed.state().keys()
    for name, value in whole.state().items():
        np.testing.assert_array_equal(resumed.state()[name], value)
    weights = whole.weights()
    for name in ("tied.weight", "again.weight"):
        np.testing.assert_array_equal(weights[name], weights["first.weight"])
    assert (weights["first.weight"] != whole.state()["model/first.weight"]).any()
    plain = make_trainable(module_model(Sharing), data, recipe)
    plain.load_weights(weights)
    np.testing.assert_array_equal(plain.scores(x), whole.scores(x))


def test_scores_change_nothing(data_for: DataFor, noisy: Model) -> None:
    recipe = Recipe(batch_size=16)
    data = data_for(recipe)
    net = trained(noisy, data, recipe, 3)
    before = net.state()
    first, second = net.scores(data.test.all()), net.scores(data.test.all()[::-1].copy())[::-1]
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert first.dtype == np.float32
    for name, value in net.state().items():
        np.testing.assert_array_equal(value, before[name])
    assert net.scores(data.test.all()[:0]).shape == (0, 4)


def test_dropout_is_keyed_by_seed_epoch_and_position(data_for: DataFor, noisy: Model) -> None:
    recipe = Recipe(batch_size=16)
    data = data_for(recipe)
    batch = next(batches(data, recipe, 0))
    moved = Batch(batch.x, batch.y, 0, batch.positions + 16)
    later = Batch(batch.x, batch.y, 1, batch.positions)

    def loss(which: Batch, disturb: bool = False) -> float:
        net = make_trainable(noisy, data, recipe)
        if disturb:
            torch.rand(100)
        return float(net.step(which, LR).loss)

    assert loss(batch) == loss(batch, disturb=True)
    assert len({loss(batch), loss(moved), loss(later)}) == 3


@pytest.mark.parametrize(
    "text", ["K", "4C3-BatchNorm-ReLU-MaxPool2-Dropout0.2-8-ReLU-K", "Res(2C3)-GlobalAvgPool-K"]
)
def test_networks_start_from_the_weights_that_all_engines_share(
    data_for: DataFor, network: Callable[[str], Model], text: str
) -> None:
    from nablab.models.initial import initial_weights

    recipe = Recipe(seed=3)
    data = data_for(recipe)
    model = network(text)
    assert model.spec is not None
    weights = make_trainable(model, data, recipe).weights()
    reference = initial_weights(model.spec, data.input_shape, data.classes, 3)
    assert weights.keys() == reference.keys()
    for name, value in weights.items():
        np.testing.assert_array_equal(value, reference[name])


def test_a_network_trains_as_the_plain_module_does(
    data_for: DataFor, network: Callable[[str], Model]
) -> None:
    """Whatever our networks do for speed, twenty steps lead where those of ordinary layers lead."""
    # SGD: before batch normalisation the gradient of a bias is rounding only, which Adam would magnify.
    recipe = Recipe(batch_size=16, optimizer="sgd", weight_decay=0)
    data = data_for(recipe)
    model = network("4C3-BatchNorm-ReLU-MaxPool2-6C3p0-ReLU-8-Tanh-K")
    plain = nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)),
    )
    start = [torch.from_numpy(value) for value in make_trainable(model, data, recipe).weights().values()]
    plain.load_state_dict(dict(zip(plain.state_dict(), start, strict=True)))
    optimizer = torch.optim.SGD(plain.parameters(), lr=LR, momentum=0.9)
    for batch in steps(data, recipe, 20):
        optimizer.zero_grad()
        cross_entropy(plain, torch.from_numpy(batch.x), torch.from_numpy(batch.y)).backward()
        optimizer.step()
    ours = trained(model, data, recipe, 20).weights()
    for value, reference in zip(ours.values(), plain.state_dict().values(), strict=True):
        np.testing.assert_allclose(value, reference, rtol=0, atol=1e-4)


def test_a_view_after_convolutions_works(data_for: DataFor, noisy: Model) -> None:
    recipe = Recipe(batch_size=16)
    trained(noisy, data_for(recipe), recipe, 2)


def test_lazy_layers_get_their_shapes(data_for: DataFor) -> None:
    recipe = Recipe(batch_size=16)
    net = trained(
        module_model(lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(4))), data_for(recipe), recipe, 2
    )
    assert net.weights()["1.weight"].shape == (4, 72)


def test_frozen_and_unused_parameters_stay(data_for: DataFor) -> None:
    class Partly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(72, 4), nn.Linear(3, 3)
            self.frozen = nn.Linear(72, 4).requires_grad_(False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.flatten(1)
            return self.used(x) + self.frozen(x)

    recipe = Recipe(batch_size=16, weight_decay=0.5)
    data = data_for(recipe)
    before = make_trainable(module_model(Partly), data, recipe).weights()
    after = trained(module_model(Partly), data, recipe, 3).weights()
    moved = {name for name in before if (before[name] != after[name]).any()}
    assert moved == {"used.weight", "used.bias"}


class Overwriting(nn.Module):
    """Writes over the images that it is given, as `nn.ReLU(inplace=True)` does where it comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(72, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(x.mul_(2).sub_(0.5).flatten(1))


@pytest.mark.parametrize("tta", ["none", "flip"])
def test_a_module_that_writes_over_its_input_changes_no_image(data_for: DataFor, tta: str) -> None:
    recipe = Recipe(batch_size=16, tta=tta)
    data = data_for(recipe)
    kept = [part.all().copy() for part in (data.train, data.test)]
    net = trained(module_model(Overwriting), data, recipe, 3)
    first = net.scores(data.test.all())
    np.testing.assert_array_equal(net.scores(data.test.all()), first)
    net.scores(data.train.all())
    for part, before in zip((data.train, data.test), kept, strict=True):
        np.testing.assert_array_equal(part.all(), before)


def test_bfloat16_trains_close_to_float32_and_scores_in_it(data_for: DataFor) -> None:
    recipe = Recipe(batch_size=16, precision="bfloat16")
    data = data_for(recipe)
    net = trained(module_model(small), data, recipe, 20)
    half = net.scores(data.test.all())
    full = trained(module_model(small), data, recipe.but(precision="float32"), 20).scores(data.test.all())
    assert half.dtype == np.float32
    assert 0 < np.abs(half - full).max() < 0.1 * np.abs(full).max()
    plain = make_trainable(module_model(small), data, recipe.but(precision="float32"))
    plain.load_weights(net.weights())
    assert np.array_equal(plain.scores(data.test.all()), half)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 3)), r"returns \(16, 3\) .* shape \(16, 4\)"),
        (nn.Identity, "no parameter to train"),
        (dict, "is of type dict, not a torch.nn.Module"),
    ],
)
def test_a_module_that_is_no_classifier_is_the_users_mistake(
    data_for: DataFor, module: Callable[[], nn.Module], message: str
) -> None:
    recipe = Recipe(batch_size=16)
    with pytest.raises(UserError, match=message):
        trained(module_model(module), data_for(recipe), recipe, 1)


def test_weights_of_another_network_are_refused(data_for: DataFor) -> None:
    recipe = Recipe()
    net = make_trainable(module_model(small), data_for(recipe), recipe)
    weights = net.weights()
    with pytest.raises(UserError, match="only in one"):
        net.load_weights({"other": np.zeros(3)})
    with pytest.raises(UserError, match=r"4\.bias"):
        net.load_weights({**weights, "4.bias": np.zeros(5)})


def test_results_are_copies(data_for: DataFor) -> None:
    recipe = Recipe(batch_size=16)
    data = data_for(recipe)
    net = trained(module_model(small), data, recipe, 1)
    weights, state = net.weights(), net.state()
    kept = [{name: value.copy() for name, value in arrays.items()} for arrays in (weights, state)]
    net.step(next(batches(data, recipe, 1)), LR)
    for arrays, copies in zip((weights, state), kept, strict=True):
        for name in arrays:
            np.testing.assert_array_equal(arrays[name], copies[name])
