"""Products of matrices, spread over threads or cut into pieces that OpenBLAS is quickest at."""

from __future__ import annotations

from functools import partial

import numpy as np

from nablab.autograd.dtypes import Array
from nablab.autograd.parallel import cuts, parts, run

#: Up to so many multiplications OpenBLAS takes its kernels for small matrices, which need no packing.
PIECE = 1_000_000
#: Cutting pays where the small matrix has at most so many entries: in products, and in sums over columns.
SMALL_FACTOR, SMALL_SUM = 5_000, 1_000


def matmul(a: Array, b: Array) -> Array:
    """The product of two matrices, the rows of `a` spread over the threads and cut into pieces."""
    work = a.size * b.shape[1]
    if work < 2 * PIECE:
        return a @ b
    out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    rows = _rows_of_a_piece(b)
    run(
        [partial(_by_rows, a[part], b, out[part], rows) for part in cuts(len(a), parts(work, at_least=PIECE))]
    )
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
    """For each group, a (G, M, K) times a long b (G, K, P), in pieces if `a` is small."""
    groups, m, k = a.shape
    piece = max(1, PIECE // (m * k))
    pieces = b.shape[2] // piece if groups == 1 and m * k <= SMALL_FACTOR else 0
    cut = pieces * piece
    if pieces:
        np.matmul(a[0], _pieces(b[0, :, :cut], pieces), out=_pieces(out[0, :, :cut], pieces))
    if cut < b.shape[2]:
        np.matmul(a, b[:, :, cut:], out=out[:, :, cut:])


def sum_of_products(a: Array, b: Array) -> Array:
    """a (M, P) times the transpose of b (K, P), both long; in pieces if the result is small."""
    (m, p), k = a.shape, len(b)
    piece = max(1, PIECE // (m * k))
    pieces = p // piece if m * k <= SMALL_SUM else 0
    cut = pieces * piece
    total: Array = (b[:, cut:] @ a[:, cut:].T).T  # OpenBLAS prefers the longer result
    if pieces:
        total = total + np.matmul(_pieces(a[:, :cut], pieces), _pieces(b[:, :cut], pieces).mT).sum(0)
    return total


def _pieces(matrix: Array, number: int) -> Array:
    """(rows, columns) as (number, rows, columns / number), without a copy."""
    return matrix.reshape(len(matrix), number, -1).transpose(1, 0, 2)
