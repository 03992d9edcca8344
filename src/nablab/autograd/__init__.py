"""Reverse-mode automatic differentiation on NumPy, by PyTorch's names: `autograd` for `torch`.

>>> from nablab import autograd
>>> x = autograd.tensor([1.0, 2.0, 4.0], requires_grad=True)
>>> y = (3 * x.log()).sum()
>>> y.backward()
>>> x.grad  # 3 / x
tensor([3.0000, 1.5000, 0.7500])
"""

from math import e, inf, nan, pi

from numpy import finfo, iinfo

from nablab.autograd import cuda, linalg
from nablab.autograd.backward import grad
from nablab.autograd.create import (
    DoubleTensor,
    FloatTensor,
    LongTensor,
    Size,
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)  # fmt: skip
from nablab.autograd.devices import device
from nablab.autograd.dtypes import boolean as bool
from nablab.autograd.dtypes import (
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
)  # fmt: skip
from nablab.autograd.dtypes import float32 as float
from nablab.autograd.dtypes import float64 as double
from nablab.autograd.dtypes import int32 as int
from nablab.autograd.dtypes import int64 as long
from nablab.autograd.einsum import einsum
from nablab.autograd.errors import AutogradError
from nablab.autograd.functions import (
    add,
    all,
    allclose,
    any,
    argmax,
    argmin,
    argsort,
    bincount,
    bmm,
    broadcast_to,
    cat,
    chunk,
    clamp,
    clamp_max,
    clamp_min,
    clip,
    concat,
    concatenate,
    count_nonzero,
    cumsum,
    diag,
    div,
    divide,
    dot,
    eq,
    equal,
    flip,
    gather,
    ge,
    gt,
    hstack,
    index_select,
    inverse,
    is_tensor,
    isclose,
    isfinite,
    isinf,
    isnan,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    masked_fill,
    masked_select,
    max,
    mean,
    median,
    meshgrid,
    min,
    mm,
    multiply,
    mv,
    ne,
    nonzero,
    norm,
    numel,
    outer,
    prod,
    ravel,
    repeat_interleave,
    reshape,
    scatter,
    sort,
    split,
    stack,
    std,
    sub,
    subtract,
    sum,
    swapaxes,
    t,
    topk,
    trace,
    unbind,
    unique,
    var,
    vstack,
    where,
)  # fmt: skip
from nablab.autograd.generator import Generator, manual_seed
from nablab.autograd.mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from nablab.autograd.op import elementwise, op, vjp
from nablab.autograd.ops import (
    abs,
    acos,
    amax,
    amin,
    asin,
    atan,
    ceil,
    clone,
    cos,
    cosh,
    cumprod,
    erf,
    exp,
    expm1,
    flatten,
    floor,
    floor_divide,
    fmod,
    log,
    log1p,
    log2,
    log10,
    log_softmax,
    logsumexp,
    matmul,
    maximum,
    minimum,
    mul,
    neg,
    permute,
    pow,
    reciprocal,
    relu,
    remainder,
    roll,
    round,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sinh,
    softmax,
    sqrt,
    square,
    squeeze,
    tan,
    tanh,
    transpose,
    tril,
    triu,
    trunc,
    unsqueeze,
)  # fmt: skip
from nablab.autograd.parallel import get_num_threads, set_num_threads
from nablab.autograd.sampling import (
    bernoulli,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
)  # fmt: skip
from nablab.autograd.show import set_printoptions
from nablab.autograd.storage import load, save
from nablab.autograd.tensor import Tensor

from nablab.autograd import nn, optim, utils  # isort: skip  (they stand on everything above)
from nablab.autograd import autograd  # isort: skip
from nablab.autograd.draw import draw
from nablab.autograd.explain import explain
from nablab.autograd.gradcheck import gradcheck, numerical_gradient

__all__ = [
    "AutogradError", "DoubleTensor", "FloatTensor", "Generator", "LongTensor", "Size", "Tensor", "abs",
    "acos", "add", "all", "allclose", "amax", "amin", "any", "arange", "argmax", "argmin", "argsort",
    "as_tensor", "asin", "atan", "autograd", "bernoulli", "bincount", "bmm", "bool", "broadcast_to", "cat",
    "ceil", "chunk", "clamp", "clamp_max", "clamp_min", "clip", "clone", "concat", "concatenate", "cos",
    "cosh", "count_nonzero", "cuda", "cumprod", "cumsum", "device", "diag", "div", "divide", "dot",
    "double", "draw", "e", "einsum", "elementwise", "empty", "empty_like", "enable_grad", "eq", "equal",
    "erf", "exp", "explain", "expm1", "eye", "finfo", "flatten", "flip", "float", "float32", "float64",
    "floor", "floor_divide", "fmod", "from_numpy", "full", "full_like", "gather", "ge", "get_default_dtype",
    "get_num_threads", "grad", "gradcheck", "gt", "hstack", "iinfo", "index_select", "inf",
    "inference_mode", "int", "int8", "int16", "int32", "int64", "inverse", "is_grad_enabled", "is_tensor",
    "isclose", "isfinite", "isinf", "isnan", "le", "linalg", "linspace", "load", "log", "log1p", "log2",
    "log10", "log_softmax", "logical_and", "logical_not", "logical_or", "logical_xor", "logspace",
    "logsumexp", "long", "lt", "manual_seed", "masked_fill", "masked_select", "matmul", "max", "maximum",
    "mean", "median", "meshgrid", "min", "minimum", "mm", "mul", "multinomial", "multiply", "mv", "nan",
    "ne", "neg", "nn", "no_grad", "nonzero", "norm", "normal", "numel", "numerical_gradient", "ones",
    "ones_like", "op", "optim", "outer", "permute", "pi", "pow", "prod", "rand", "rand_like", "randint",
    "randn", "randn_like", "randperm", "ravel", "reciprocal", "relu", "remainder", "repeat_interleave",
    "reshape", "roll", "round", "rsqrt", "save", "scatter", "set_default_dtype", "set_grad_enabled",
    "set_num_threads", "set_printoptions", "sigmoid", "sign", "sin", "sinh", "softmax", "sort", "split",
    "sqrt", "square", "squeeze", "stack", "std", "sub", "subtract", "sum", "swapaxes", "t", "tan", "tanh",
    "tensor", "topk", "trace", "transpose", "tril", "triu", "trunc", "uint8", "unbind", "unique",
    "unsqueeze", "utils", "var", "vjp", "vstack", "where", "zeros", "zeros_like",
]  # fmt: skip
