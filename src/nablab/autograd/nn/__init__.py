"""Networks from layers, by PyTorch's names: `from nablab.autograd import nn` for `from torch import nn`."""

from nablab.autograd.nn import functional, init, rewrites, utils
from nablab.autograd.nn.activations import (
    ELU,
    GELU,
    SELU,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)  # fmt: skip
from nablab.autograd.nn.containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from nablab.autograd.nn.layers import Conv2d, ConvTranspose2d, Embedding, Linear
from nablab.autograd.nn.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
    SmoothL1Loss,
)  # fmt: skip
from nablab.autograd.nn.module import Module
from nablab.autograd.nn.norms import BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm2d, LayerNorm
from nablab.autograd.nn.parameter import Parameter
from nablab.autograd.nn.shaping import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    CosineSimilarity,
    Dropout,
    Dropout2d,
    Flatten,
    Identity,
    MaxPool2d,
    Unflatten,
    Upsample,
    ZeroPad2d,
)  # fmt: skip

__all__ = [
    "ELU", "GELU", "SELU", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AvgPool2d", "BCELoss",
    "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "Conv2d", "ConvTranspose2d", "CosineSimilarity",
    "CrossEntropyLoss", "Dropout", "Dropout2d", "Embedding", "Flatten", "GroupNorm", "Hardswish", "Hardtanh",
    "HuberLoss", "Identity", "InstanceNorm2d", "KLDivLoss", "L1Loss", "LayerNorm", "LeakyReLU", "Linear",
    "LogSigmoid", "LogSoftmax", "MSELoss", "MaxPool2d", "Mish", "Module", "ModuleDict", "ModuleList",
    "MultiMarginLoss", "NLLLoss", "PReLU", "Parameter", "ParameterDict", "ParameterList", "ReLU", "ReLU6",
    "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "Softmax", "Softplus", "Softsign", "Tanh", "Unflatten",
    "Upsample", "ZeroPad2d", "functional", "init", "rewrites", "utils",
]  # fmt: skip
