"""All schedules, where PyTorch has them: `from nablab.autograd.optim.lr_scheduler import StepLR`."""

from nablab.autograd.optim.cycles import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from nablab.autograd.optim.plateau import ReduceLROnPlateau
from nablab.autograd.optim.schedules import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)  # fmt: skip
from nablab.autograd.optim.sequence import SequentialLR

__all__ = [
    "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR",
    "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau",
    "SequentialLR", "StepLR",
]  # fmt: skip
