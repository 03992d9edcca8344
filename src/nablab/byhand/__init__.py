"""Gradients written out by hand, each with its formula: no engine, only NumPy.

Every model has `initial`, `scores`, `loss` and `gradient`; parameters are a dictionary of named arrays.

>>> import numpy as np
>>> from nablab.byhand import Softmax, descend
>>> model, rng = Softmax(classes=2), np.random.default_rng(0)
>>> x = rng.standard_normal((40, 3))
>>> y = (x[:, 0] > 0).astype(int)
>>> start = model.initial(rng, 3)
>>> *_, last = descend(model.gradient, start, x, y, lr=1.0, epochs=50)
>>> model.loss(last.params, x, y) < 0.3 < model.loss(start, x, y)
True
"""

from nablab.byhand.activations import (
    ACTIVATIONS,
    Activation,
    leaky_relu,
    logistic,
    prelu_slope_gradient,
    softplus,
)
from nablab.byhand.descent import Step, descend, final
from nablab.byhand.linear_regression import LinearRegression
from nablab.byhand.logistic_regression import Logistic
from nablab.byhand.losses import LOSSES, Loss, log_sum_exp, one_hot, softmax
from nablab.byhand.mlp import MLP, Trace
from nablab.byhand.softmax_regression import Softmax
from nablab.byhand.two_layer import Forward, TwoLayer

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "MLP",
    "Activation",
    "Forward",
    "LinearRegression",
    "Logistic",
    "Loss",
    "Softmax",
    "Step",
    "Trace",
    "TwoLayer",
    "descend",
    "final",
    "leaky_relu",
    "log_sum_exp",
    "logistic",
    "one_hot",
    "prelu_slope_gradient",
    "softmax",
    "softplus",
]
