"""Reverse-mode automatic differentiation on NumPy, by PyTorch's names: `autograd` for `torch`.

>>> from nablab import autograd
>>> x = autograd.tensor([1.0, 2.0, 4.0], requires_grad=True)
>>> y = (3 * x.log()).sum()
>>> y.backward()
>>> x.grad  # 3 / x
tensor([3.0000, 1.5000, 0.7500])
"""

from nablab.autograd.backward import grad
from nablab.autograd.create import (
    arange,
    as_tensor,
    eye,
    from_numpy,
    full,
    linspace,
    manual_seed,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    randperm,
    tensor,
    zeros,
    zeros_like,
)  # fmt: skip
from nablab.autograd.dtypes import (
    float32,
    float64,
    get_default_dtype,
    int32,
    int64,
    set_default_dtype,
    uint8,
)  # fmt: skip
from nablab.autograd.errors import AutogradError
from nablab.autograd.functions import (
    allclose,
    argmax,
    argmin,
    bmm,
    cat,
    dot,
    equal,
    flip,
    gather,
    max,
    min,
    mm,
    mv,
    norm,
    outer,
    reshape,
    stack,
    where,
)  # fmt: skip
from nablab.autograd.mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from nablab.autograd.op import elementwise, op, vjp
from nablab.autograd.ops import (
    abs,
    add,
    amax,
    amin,
    clamp,
    clone,
    cos,
    div,
    exp,
    flatten,
    log,
    log1p,
    log_softmax,
    logsumexp,
    matmul,
    maximum,
    mean,
    minimum,
    mul,
    neg,
    permute,
    pow,
    prod,
    reciprocal,
    relu,
    sigmoid,
    sin,
    softmax,
    sqrt,
    square,
    squeeze,
    std,
    sub,
    sum,
    tanh,
    transpose,
    unsqueeze,
    var,
)  # fmt: skip
from nablab.autograd.parallel import get_num_threads, set_num_threads
from nablab.autograd.tensor import Tensor

from nablab.autograd import nn, optim  # isort: skip  (they stand on everything above)
from nablab.autograd.draw import draw
from nablab.autograd.explain import explain
from nablab.autograd.gradcheck import gradcheck, numerical_gradient

__all__ = [
    "AutogradError", "Tensor", "abs", "add", "allclose", "amax", "amin", "arange", "argmax", "argmin",
    "as_tensor", "bmm", "cat", "clamp", "clone", "cos", "div", "dot", "draw", "elementwise",
    "enable_grad", "equal", "exp", "explain", "eye", "flatten", "flip", "float32", "float64",
    "from_numpy", "full", "gather", "get_default_dtype", "get_num_threads", "grad", "gradcheck", "int32",
    "int64", "is_grad_enabled", "linspace", "log", "log1p", "log_softmax", "logsumexp", "manual_seed",
    "matmul", "max", "maximum", "mean", "min", "minimum", "mm", "mul", "mv", "neg", "nn", "no_grad",
    "norm", "numerical_gradient", "ones", "ones_like", "op", "optim", "outer", "permute", "pow", "prod",
    "rand", "randint", "randn", "randperm", "reciprocal", "relu", "reshape", "set_default_dtype",
    "set_grad_enabled", "set_num_threads", "sigmoid", "sin", "softmax", "sqrt", "square", "squeeze",
    "stack", "std", "sub", "sum", "tanh", "tensor", "transpose", "uint8", "unsqueeze", "var", "vjp",
    "where", "zeros", "zeros_like",
]  # fmt: skip
