"""Networks on our own engine against the same networks in PyTorch: scores, gradients, running statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nablab import autograd
from nablab.errors import UserError
from nablab.models import numpy_net, torch_net
from nablab.models import spec as s
from nablab.models.catalog import CATALOG
from nablab.models.initial import initial_weights
from nablab.models.language import parse
from nablab.models.shapes import Shape, flatten, walk

IMAGE, VECTOR = (3, 8, 8), (12,)
NETWORKS: list[tuple[str, Shape]] = [
    ("6C3-Tanh-K", IMAGE),
    ("6C4s2p1g3-Flatten-K", IMAGE),
    ("DW3s2-Sigmoid-K", IMAGE),
    ("7-ReLU-K", VECTOR),
    ("K", IMAGE),
    ("4C3-ReLU-MaxPool2-K", IMAGE),
    ("4C3-MaxPool3s2p1-K", IMAGE),
    ("4C3-AvgPool3s2p1-K", IMAGE),
    ("5C1-GlobalAvgPool-K", IMAGE),
    ("5C3-ReLU-GlobalMaxPool-K", IMAGE),
    ("4C3-BatchNorm-ReLU-K", IMAGE),
    ("6-BatchNorm-Tanh-K", VECTOR),
    ("4C3-LayerNorm-K", IMAGE),
    ("6-LayerNorm-K", VECTOR),
    ("4C3-InstanceNorm-K", IMAGE),
    ("4C3-GroupNorm2-K", IMAGE),
    ("6-Dropout0-K", VECTOR),
    ("6-LeakyReLU0.2-K", VECTOR),
    ("6-PReLU-K", VECTOR),
    ("4C3-PReLU-K", IMAGE),
    ("6-ELU-K", VECTOR),
    ("6-GELU-K", VECTOR),
    ("6-SiLU-K", VECTOR),
    ("6-Softplus-K", VECTOR),
    ("3C3-Res(3C3-ReLU-3C3)-K", IMAGE),
    ("Res(6C3s2-BatchNorm-ReLU-6C3)-K", IMAGE),
    ("8-Res(6-Tanh)-K", VECTOR),
    ("6C3b0-DW3b0-ReLU6-K", IMAGE),
    ("Res(6C3s2b0-BatchNorm-ReLU-6C3|6C1s2b0-BatchNorm)-K", IMAGE),
    ("Res(6C3s2-ReLU|MaxPool1s2-Widen6)-K", IMAGE),
    ("Res(20-ReLU6|Widen20)-K", VECTOR),
]
CLASSES = 5


def batch(shape: Shape, count: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, *shape)).astype(np.float32), rng.integers(0, CLASSES, count)


def twins(text: str, shape: Shape) -> tuple[autograd.nn.Module, torch.nn.Module]:
    spec = parse(text)
    weights = initial_weights(spec, shape, CLASSES, seed=3)
    ours, theirs = numpy_net.build(spec, shape, CLASSES), torch_net.build(spec, shape, CLASSES)
    numpy_net.load(ours, weights)
    theirs.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in weights.items()})
    return ours, theirs


def test_every_layer_is_tried() -> None:
    tried = {type(p.layer) for text, shape in NETWORKS for p in flatten(walk(parse(text), shape, CLASSES))}
    tried |= {type(layer) for text, _ in NETWORKS for layer in parse(text).layers}
    assert tried >= {kind for kind in vars(s).values() if isinstance(kind, type) and _is_layer(kind)}


def _is_layer(kind: type) -> bool:
    return issubclass(kind, s.Layer) and kind is not s.Layer


@pytest.mark.parametrize(("text", "shape"), NETWORKS)
def test_scores_gradients_and_buffers_are_pytorchs(text: str, shape: Shape) -> None:
    ours, theirs = twins(text, shape)
    x, y = batch(shape)
    logits = ours(autograd.from_numpy(x))
    autograd.nn.functional.cross_entropy(logits, autograd.from_numpy(y)).backward()
    expected = theirs(torch.from_numpy(x))
    torch.nn.functional.cross_entropy(expected, torch.from_numpy(y)).backward()

    np.testing.assert_allclose(logits.detach().numpy(), expected.detach().numpy(), atol=2e-6)
    gradients = {name: p.grad for name, p in ours.named_parameters()}
    for name, parameter in theirs.named_parameters():
        np.testing.assert_allclose(gradients[name], parameter.grad, atol=3e-6, err_msg=name)
    buffers = dict(ours.named_buffers())
    assert buffers.keys() == dict(theirs.named_buffers()).keys()
    for name, buffer in theirs.named_buffers():
        np.testing.assert_allclose(buffers[name], buffer, atol=1e-6, err_msg=name)
    with torch.no_grad():
        evaluated = theirs.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(numpy_net.scores(ours, x), evaluated, atol=2e-6)


@pytest.mark.parametrize("name", CATALOG)
def test_every_network_of_the_catalog_has_pytorchs_weights(name: str) -> None:
    spec, shape = CATALOG[name].spec, (1, 28, 28)
    ours = {n: t.shape for n, t in numpy_net.build(spec, shape, 10).state_dict().items()}
    theirs = {n: tuple(t.shape) for n, t in torch_net.build(spec, shape, 10).state_dict().items()}
    assert ours == theirs


def test_one_vector_is_normalised_by_the_running_statistics() -> None:
    ours, theirs = twins("6-BatchNorm-K", VECTOR)
    x, _ = batch(VECTOR, 1)
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(ours(autograd.from_numpy(x)).detach().numpy(), expected, atol=2e-6)


def test_many_images_are_scored_in_pieces() -> None:
    ours, theirs = twins("4C3-ReLU-MaxPool2-K", IMAGE)
    x, _ = batch(IMAGE, 603)
    with torch.no_grad():
        expected = theirs.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(numpy_net.scores(ours, x), expected, atol=2e-6)


def test_weights_of_another_network_are_refused() -> None:
    ours, _ = twins("6-ReLU-K", VECTOR)
    with pytest.raises(UserError, match=r"^these weights are of another network: .*0\.weight"):
        numpy_net.load(ours, initial_weights(parse("7-ReLU-K"), VECTOR, CLASSES, 0))
