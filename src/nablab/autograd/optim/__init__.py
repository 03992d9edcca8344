"""Optimisers and schedules, by PyTorch's names: for `from torch import optim`."""

from nablab.autograd.optim import schedules as lr_scheduler
from nablab.autograd.optim.algorithms import SGD, Adam, AdamW, RMSprop
from nablab.autograd.optim.optimizer import Optimizer

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
