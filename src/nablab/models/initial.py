"""Initial weights: one function of network and seed, loaded by every engine so that twins start equal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.data import keyed
from nablab.models import spec as layers
from nablab.models.shapes import Placed, Shape, flatten, walk
from nablab.models.spec import Spec


def initial_weights(spec: Spec, input_shape: Shape, classes: int, seed: int) -> dict[str, NDArray[Any]]:
    """The parameters and buffers of a network before training, in the order of its layers.

    Names and shapes are those of the state dict of `torch_net.build`'s module, the distributions are
    PyTorch's defaults: weights and biases of convolutions and linear layers are uniform within
    1/sqrt(fan in) of zero (He et al. 2015 with a = sqrt 5), scales are 1, shifts are 0, the slope of a
    PReLU is 0.25. Each array depends on the seed and its own name only, so a network with one more
    layer at its end begins with the same numbers.

    Returns:
        name -> float32 array, and an int64 count of batches for each BatchNorm.

    Raises:
        UserError: the network does not fit, as `nablab.models.shapes.trace`.

    >>> from nablab.models.language import parse
    >>> {name: w.shape for name, w in initial_weights(parse("8C3-K"), (1, 4, 4), 2, seed=0).items()}
    {'0.weight': (8, 1, 3, 3), '0.bias': (8,), '1.weight': (2, 128), '1.bias': (2,)}
    """
    weights: dict[str, NDArray[Any]] = {}
    for placed in flatten(walk(spec, input_shape, classes)):
        for name, shape in placed.parameter_shapes.items():
            weights[f"{placed.path}.{name}"] = _parameter(placed, name, shape, seed)
        if isinstance(placed.layer, layers.BatchNorm):
            channels = placed.input_shape[0]
            weights[f"{placed.path}.running_mean"] = np.zeros(channels, np.float32)
            weights[f"{placed.path}.running_var"] = np.ones(channels, np.float32)
            weights[f"{placed.path}.num_batches_tracked"] = np.zeros((), np.int64)
    return weights


def _parameter(placed: Placed, name: str, shape: Shape, seed: int) -> NDArray[np.float32]:
    if isinstance(placed.layer, layers.PReLU):
        return np.full(shape, 0.25, np.float32)
    if not isinstance(placed.layer, (layers.Conv, layers.DepthwiseConv, layers.Linear)):
        return np.full(shape, 1.0 if name == "weight" else 0.0, np.float32)
    fan_in = math.prod(placed.parameter_shapes["weight"][1:])
    bound = 1 / math.sqrt(fan_in)
    generator = keyed.generator(seed, f"initial {placed.path}.{name}")
    return generator.uniform(-bound, bound, shape).astype(np.float32)
