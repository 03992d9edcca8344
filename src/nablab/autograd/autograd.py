"""What PyTorch has under `torch.autograd`, for programs in which `torch` is this package."""

from nablab.autograd import functional
from nablab.autograd.backward import grad
from nablab.autograd.function import Function
from nablab.autograd.gradcheck import gradcheck
from nablab.autograd.mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]
