"""Numbers as words: how reports write percentages, counts, times and lists."""

from __future__ import annotations

from collections.abc import Sequence

#: What stands where there is nothing to say.
NOTHING = "–"


def percent(accuracy: float | None, digits: int = 1) -> str:
    """
    >>> percent(0.9124)
    '91.2 %'
    """
    return NOTHING if accuracy is None else f"{100 * accuracy:.{digits}f} %"


def plus_minus(accuracy: float | None, spread: float | None, digits: int = 1) -> str:
    """
    >>> plus_minus(0.9124, 0.0031)
    '91.2 ± 0.3 %'
    """
    if accuracy is None or spread is None:
        return percent(accuracy, digits)
    return f"{100 * accuracy:.{digits}f} ± {100 * spread:.{digits}f} %"


def interval(low: float, high: float) -> str:
    """The bounds of a difference of accuracies in points, which are 100 at most, whatever a t quantile says.

    >>> interval(-0.0959, 0.4259), interval(-0.59, 1.53)
    ('-9.59 to +42.59', '-59.00 to +100.00')
    """
    return f"{100 * max(low, -1.0):+.2f} to {100 * min(high, 1.0):+.2f}"


def share(fraction: float) -> str:
    """
    >>> share(0.01), share(0.125), share(1.0)
    ('1 %', '12.5 %', '100 %')
    """
    return f"{100 * fraction:.4g} %"


def number(value: int | None) -> str:
    """
    >>> number(431080)
    '431,080'
    """
    return NOTHING if value is None else f"{value:,}"


def short(value: int | None) -> str:
    """A large count in three digits.

    >>> short(431080), short(2_293_000), short(850)
    ('431 k', '2.29 M', '850')
    """
    if value is None:
        return NOTHING
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= 0.9995 * size:
            return f"{_three(value / size)}{unit}"
    return str(value)


def seconds(value: float | None) -> str:
    """A time in three digits.

    >>> seconds(0.000123), seconds(2.5), seconds(125.0), seconds(4359.0)
    ('123 µs', '2.50 s', '2 min 05 s', '1 h 13 min')
    """
    if value is None:
        return NOTHING
    for limit, size, unit in ((1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms"), (100.0, 1.0, "s")):
        if value < 0.9995 * limit:
            return f"{_three(value / size)} {unit}"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(value / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def bytes_(value: int | None) -> str:
    """
    >>> bytes_(1_724_320)
    '1.72 MB'
    """
    if value is None:
        return NOTHING
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= 0.9995 * size:
            return f"{_three(value / size)} {unit}"
    return f"{value} B"


def times(ratio: float) -> str:
    """
    >>> times(3.94), times(41.2), times(3666.4)
    ('3.9', '41', '3,666')
    """
    return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:,.0f}"


def unbroken(text: str) -> str:
    """With a number and its unit or spread on one line: spaces that no line ends at.

    >>> unbroken("91.8 ± 0.3 % of 10 points").split(" ")
    ['91.8\\xa0±\\xa00.3\\xa0%', 'of', '10', 'points']
    """
    return text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}").replace(" %", "\N{NO-BREAK SPACE}%")


def count(n: int, what: str) -> str:
    """
    >>> count(1, "run"), count(1200, "run")
    ('1 run', '1,200 runs')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _three(value: float) -> str:
    """Three significant digits of a number from 1 to 1000, without an exponent."""
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}"
