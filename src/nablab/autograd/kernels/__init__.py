"""Fast convolution, pooling and cross entropy: what `ops/` says, arranged for the memory of a computer.

Images are kept in memory with the batch last, (C, H, W, N), whatever order their axes are shown in. So
- a row of pixels of the whole batch is one long contiguous row, and convolution is a product of the filters
  with such rows (see `convolution.py`);
- pooling and padding move and compare whole rows of N numbers;
- the product is the next layer's images, and flattened images (N, C*H*W) are the columns of the next linear
  layer, without a copy.
NumPy's elementwise operations keep the order of the memory, so it travels through a network by itself.

Products of a small matrix with a long one are cut into pieces that OpenBLAS computes without first packing
its operands; on the machine where this was written that is up to 1.4 times faster.
"""

from nablab.autograd.kernels.classes import class_losses
from nablab.autograd.kernels.convolution import convolve, filter_gradient, image_gradient
from nablab.autograd.kernels.pooling import max_of_windows, stretches, sum_of_windows, to_all, to_winners
from nablab.autograd.kernels.products import matmul
from nablab.autograd.kernels.window import Window, batch_last

__all__ = [
    "Window", "batch_last", "class_losses", "convolve", "filter_gradient", "image_gradient", "matmul",
    "max_of_windows", "stretches", "sum_of_windows", "to_all", "to_winners",
]  # fmt: skip
