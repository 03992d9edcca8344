"""Products of matrices, cut into pieces that OpenBLAS is quickest at."""

from __future__ import annotations

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.parallel import blas_threads

#: Up to so many multiplications OpenBLAS takes its kernels for small matrices, which need no packing.
PIECE = 1_000_000
#: So many multiplications are worth BLAS's own threads.
SHARED = 4_000_000
#: Cutting pays where the small matrix has at most so many entries.
SMALL_FACTOR = 5_000


def matmul(a: Array, b: Array) -> Array:
    """The product of two matrices: by BLAS with its own threads where it has any, in pieces where not."""
    work = a.size * b.shape[1]
    if work < 2 * PIECE or (work >= SHARED and blas_threads() > 1):
        return a @ b
    out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    _by_rows(a, b, out, _rows_of_a_piece(b))
    return out


def _rows_of_a_piece(b: Array) -> int:
    """With how many rows the product by `b` (K, N) is quickest; 0 where that is all at once."""
    k, n = b.shape
    rows = min(16, PIECE // 2 // (k * n))
    suits = b.flags.c_contiguous or (b.flags.f_contiguous and k >= n)
    return rows if rows >= 4 and suits else 0


def _by_rows(a: Array, b: Array, out: Array, rows: int) -> None:
    """a @ b, so many rows at a time."""
    pieces = len(a) // rows if rows else 0
    cut = pieces * rows
    if pieces:
        np.matmul(a[:cut].reshape(pieces, rows, -1), b, out=out[:cut].reshape(pieces, rows, -1))
    if cut < len(a):
        np.matmul(a[cut:], b, out=out[cut:])


def multiply(a: Array, b: Array, out: Array) -> None:
    """Small matrices a (..., M, K) times wide ones b (..., K, P), into out (..., M, P); in pieces."""
    (m, k), p = a.shape[-2:], b.shape[-1]
    pieces = max(1, -(-m * k * p // PIECE)) if m * k <= SMALL_FACTOR else 1
    cut = p - p % pieces
    if pieces > 1:
        np.matmul(a[..., None, :, :], _pieces(b[..., :cut], pieces), out=_pieces(out[..., :cut], pieces))
    else:
        cut = 0
    if cut < p:
        np.matmul(a, b[..., cut:], out=out[..., cut:])


def _pieces(matrix: Array, number: int) -> Array:
    """(..., rows, columns) as (..., number, rows, columns / number), without a copy."""
    return matrix.reshape(*matrix.shape[:-1], number, -1).swapaxes(-3, -2)
