"""Optimisers and schedules, by PyTorch's names: for `from torch import optim`."""

from nablab.autograd.optim import lr_scheduler
from nablab.autograd.optim.adam import Adam, Adamax, AdamW, NAdam
from nablab.autograd.optim.algorithms import SGD, Adadelta, Adagrad, RMSprop
from nablab.autograd.optim.optimizer import Optimizer

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "Optimizer", "RMSprop", "lr_scheduler",
]  # fmt: skip
