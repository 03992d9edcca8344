"""The normal distribution on arrays, which NumPy does not have."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from nablab.autograd.dtypes import Array

# Rational approximations of erf and erfc in three ranges, relative error below 6e-19 in exact arithmetic.
# Source: W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969).
_P = (3.20937758913846947e03, 3.77485237685302021e02, 1.13864154151050156e02, 3.16112374387056560e00,
      1.85777706184603153e-1)  # fmt: skip
_Q = (2.84423683343917062e03, 1.28261652607737228e03, 2.44024637934444173e02, 2.36012909523441209e01, 1.0)
_R = (1.23033935479799725e03, 2.05107837782607147e03, 1.71204761263407058e03, 8.81952221241769090e02,
      2.98635138197400131e02, 6.61191906371416295e01, 8.88314979438837594e00, 5.64188496988670089e-1,
      2.15311535474403846e-8)  # fmt: skip
_S = (1.23033935480374942e03, 3.43936767414372164e03, 4.36261909014324716e03, 3.29079923573345963e03,
      1.62138957456669019e03, 5.37181101862009858e02, 1.17693950891312499e02, 1.57449261107098347e01,
      1.0)  # fmt: skip
_U = (-6.58749161529837803e-4, -1.60837851487422766e-2, -1.25781726111229246e-1, -3.60344899949804439e-1,
      -3.05326634961232344e-1, -1.63153871373020978e-2)  # fmt: skip
_V = (2.33520497626869185e-3, 6.05183413124413191e-2, 5.27905102951428412e-1, 1.87295284992346047e00,
      2.56852019228982242e00, 1.0)  # fmt: skip


def erf(x: Array) -> Array:
    """The error function, to the precision of the dtype.

    >>> float(erf(np.array(1.0)).round(12))
    0.84270079295
    """
    size = np.abs(x)
    near, far = size <= 0.46875, size > 4
    result = np.empty_like(size)
    squared = size[near] ** 2
    result[near] = size[near] * _polynomial(_P, squared) / _polynomial(_Q, squared)
    middle = ~(near | far)
    y = size[middle]
    result[middle] = 1 - np.exp(-y * y) * _polynomial(_R, y) / _polynomial(_S, y)
    y = np.minimum(size[far], 30)  # beyond, the complement is 0 in any case
    inverse = 1 / (y * y)
    tail = inverse * _polynomial(_U, inverse) / _polynomial(_V, inverse)
    result[far] = 1 - np.exp(-y * y) / y * (1 / sqrt(pi) + tail)
    return np.copysign(result, x)


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """By Horner's rule; coefficients from the constant upward."""
    result = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        result = result * x + c
    return result


def normal_cdf(x: Array) -> Array:
    """The probability that a standard normal variable is at most x."""
    return 0.5 * (1 + erf(x * (1 / sqrt(2))))


def normal_pdf(x: Array) -> Array:
    """The density of the standard normal distribution."""
    return np.exp(-0.5 * x * x) * (1 / sqrt(2 * pi))
