"""Every operation of the engine: the forward, and beside it the rules of its gradient."""

from nablab.autograd.ops.activations import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    logsigmoid,
    prelu,
    relu,
    relu6,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)  # fmt: skip
from nablab.autograd.ops.choices import clamp, maximum, minimum, where
from nablab.autograd.ops.class_losses import cross_entropy, nll_loss
from nablab.autograd.ops.convolution import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool2d,
    conv2d,
    max_pool2d,
)  # fmt: skip
from nablab.autograd.ops.elementary import (
    acos,
    asin,
    atan,
    cosh,
    erf,
    expm1,
    log2,
    log10,
    rsqrt,
    sinh,
    tan,
)  # fmt: skip
from nablab.autograd.ops.elementwise import (
    abs,
    add,
    clone,
    cos,
    div,
    exp,
    log,
    log1p,
    mul,
    neg,
    pow,
    reciprocal,
    sin,
    sqrt,
    square,
    sub,
    to_copy,
)  # fmt: skip
from nablab.autograd.ops.linear_algebra import linear, matmul
from nablab.autograd.ops.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    huber_loss,
    l1_loss,
    mse_loss,
)  # fmt: skip
from nablab.autograd.ops.matrices import diag, einsum, inv, solve, tril, triu
from nablab.autograd.ops.normalisation import standardize
from nablab.autograd.ops.reduce import amax, amin, logsumexp, mean, norm, prod, std, sum, var
from nablab.autograd.ops.rounding import (
    ceil,
    floor,
    floor_divide,
    fmod,
    remainder,
    round,
    sign,
    trunc,
)  # fmt: skip
from nablab.autograd.ops.scan import cumprod, cumsum
from nablab.autograd.ops.shape import (
    cat,
    expand,
    flatten,
    flip,
    gather,
    getitem,
    index_put,
    pad,
    permute,
    repeat,
    reshape,
    roll,
    scatter,
    squeeze,
    stack,
    transpose,
    unsqueeze,
)  # fmt: skip

__all__ = [
    "abs", "acos", "adaptive_avg_pool2d", "adaptive_max_pool2d", "add", "amax", "amin", "asin", "atan",
    "avg_pool2d", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cat", "ceil", "clamp",
    "clone", "conv2d", "cos", "cosh", "cross_entropy", "cumprod", "cumsum", "diag", "div", "einsum", "elu",
    "erf", "exp", "expand", "expm1", "flatten", "flip", "floor", "floor_divide", "fmod", "gather", "gelu",
    "getitem", "huber_loss", "index_put", "inv", "l1_loss", "leaky_relu", "linear", "log", "log1p", "log2",
    "log10", "log_softmax", "logsigmoid", "logsumexp", "matmul", "max_pool2d", "maximum", "mean", "minimum",
    "mse_loss", "mul", "neg", "nll_loss", "norm", "pad", "permute", "pow", "prelu", "prod", "reciprocal",
    "relu", "relu6", "remainder", "repeat", "reshape", "roll", "round", "rsqrt", "scatter", "sigmoid",
    "sign", "silu", "sin", "sinh", "softmax", "softplus", "solve", "sqrt", "square", "squeeze", "stack",
    "standardize", "std", "sub", "sum", "tan", "tanh", "to_copy", "transpose", "tril", "triu", "trunc",
    "unsqueeze", "var", "where",
]  # fmt: skip
