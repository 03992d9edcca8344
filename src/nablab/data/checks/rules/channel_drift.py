"""Training and test samples of different brightness, contrast or scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nablab.data.checks.chance import CHANCE
from nablab.data.checks.finding import Finding
from nablab.data.checks.material import Material
from nablab.data.checks.rule import Rule
from nablab.data.preprocess import moments

#: Standardised mean differences from which it is a warning, and serious: Cohen's small and large (J. Cohen,
#: Statistical Power Analysis for the Behavioral Sciences, 1988). The number of samples does not change them.
SMALL, LARGE = 0.2, 0.8

Numbers = NDArray[np.float64]

_COLOURS = {1: ("",), 3: ("red ", "green ", "blue ")}


@dataclass(frozen=True, eq=False)
class Moments:
    """The number of samples, and of each column the mean and the (population) standard deviation."""

    count: int
    mean: Numbers
    deviation: Numbers


def find(material: Material) -> Iterator[Finding]:
    """Differences whose confidence interval lies beyond a small effect.

    With many samples every difference is significant, with few every difference is large: what counts is
    the effect size that is left when its sampling error is taken away. The samples are the units: of an
    image, the mean and the deviation of each channel count once, however many pixels it has.
    """
    names, train, test = _columns(material)
    effect, error = standardised_difference(train, test)
    sure = np.abs(effect) - error
    drifted = np.flatnonzero(sure > SMALL)
    if len(drifted):
        worst = int(np.argmax(np.abs(effect)))
        more = f", and {len(drifted) - 1} more such" if len(drifted) > 1 else ""
        yield Finding(
            RULE.name,
            "serious" if sure.max() > LARGE else "warning",
            f"the {names[worst]} differs between train and test by {abs(effect[worst]):.2f} standard "
            f"deviations (sampling error {error[worst]:.2f}; means {train.mean[worst]:.4g} and "
            f"{test.mean[worst]:.4g}){more}",
            "find out how the parts were made, and cut train and test from one shuffled whole",
        )


def standardised_difference(train: Moments, test: Moments) -> tuple[Numbers, Numbers]:
    """Cohen's d of each column (test minus train, by the pooled deviation), and its largest sampling error.

    The error is the half-width of an interval that holds in all columns together but for `CHANCE`: the
    standard error of L. Hedges and I. Olkin (1985), sqrt((n + m) / (n m) + d^2 / (2 (n + m))), times a
    Bonferroni quantile. A column without deviation has d = 0 where its means are equal, else infinity.
    """
    from scipy.special import ndtri  # type: ignore[import-untyped]

    n, m = train.count, test.count
    difference = test.mean - train.mean
    pooled = np.sqrt((n * train.deviation**2 + m * test.deviation**2) / max(n + m - 2, 1))
    varies = pooled > 1e-6 * np.maximum(np.abs(train.mean), np.abs(test.mean))
    apart = np.where(np.abs(difference) <= 1e-6 * np.abs(train.mean), 0.0, np.inf)
    effect = np.divide(difference, pooled, out=apart, where=varies)
    finite = np.where(np.isfinite(effect), effect, 0)
    quantile = float(ndtri(1 - CHANCE / (2 * len(effect))))
    return effect, quantile * np.sqrt((n + m) / (n * m) + finite**2 / (2 * (n + m)))


def _columns(material: Material) -> tuple[tuple[str, ...], Moments, Moments]:
    """What the columns are called, and their moments in train and test."""
    dataset = material.dataset
    if not dataset.is_images:
        names = tuple(f"feature {number}" for number in range(dataset.input_shape[0]))
        x_train, x_test = dataset.x_train, dataset.x_test
        return names, Moments(len(x_train), *moments(x_train)), Moments(len(x_test), *moments(x_test))
    portraits = material.portraits
    values = np.concatenate([portraits.mean, portraits.deviation], axis=1)
    train, test = values[: material.trains], values[material.trains :]
    colours = _COLOURS.get(dataset.input_shape[0])
    colours = colours or tuple(f"channel {number} " for number in range(dataset.input_shape[0]))
    names = tuple(f"{colour}{kind} of images" for kind in ("brightness", "contrast") for colour in colours)
    return (
        names,
        Moments(len(train), train.mean(axis=0), train.std(axis=0)),
        Moments(len(test), test.mean(axis=0), test.std(axis=0)),
    )


RULE = Rule("channel-drift", "Are train and test equally bright and rich in contrast?", find, of_images=False)
