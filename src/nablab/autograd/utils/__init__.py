"""What PyTorch keeps under this name: `from nablab.autograd.utils.data import DataLoader`."""

from nablab.autograd.utils import data

__all__ = ["data"]
