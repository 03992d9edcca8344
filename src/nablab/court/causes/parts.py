"""Some of it is right: entries, or samples, were left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nablab.court.calls import Array
from nablab.court.case import Case
from nablab.court.evidence import Evidence
from nablab.court.report import Cause

_SHOWN = 5


def entries(case: Case, evidence: Evidence) -> Cause | None:
    """Some entries are right, others are not: by rows, by columns, or here and there."""
    wrong = evidence.wrong
    telling = evidence.judged & (np.abs(evidence.measured) > evidence.tolerance)
    if evidence.elsewhere is None and (telling & ~wrong).sum() < 0.25 * max(1, telling.sum()):
        return None
    where, mask = _where(evidence, wrong, telling)
    how = "zero" if not evidence.claimed[mask & wrong].any() else "wrong"
    verb = "left out (zero)" if how == "zero" else "wrong"
    return Cause("entries", f"{where} {verb}, the rest is right{_example(evidence, wrong)}")


def _where(evidence: Evidence, wrong: Array, telling: Array) -> tuple[str, Array]:
    """`rows 0, 3 are`, or as good as can be said; and the entries meant."""
    if evidence.whole.ndim >= 2:
        for axis, word in ((0, "row"), (1, "column")):
            others = tuple(i for i in range(wrong.ndim) if i != axis)
            bad = wrong.any(axis=others)
            whole = np.all(wrong | ~telling, axis=others)
            if bad.any() and np.array_equal(bad, bad & whole) and bad.sum() < bad.size:
                shape = [1] * wrong.ndim
                shape[axis] = -1
                return _named(word, evidence.rows[axis][bad]), np.broadcast_to(
                    bad.reshape(shape), wrong.shape
                )
    places = [
        ", ".join(str(int(r[i])) for r, i in zip(evidence.rows, place, strict=True))
        for place in np.argwhere(wrong)
    ]
    listed = [f"[{place}]" for place in places[:_SHOWN]] + (["..."] if len(places) > _SHOWN else [])
    return f"{len(places)} of {wrong.size} entries compared ({', '.join(listed)}) are", wrong


def _named(word: str, numbers: Array) -> str:
    listed = ", ".join(map(str, numbers[:_SHOWN])) + (", ..." if len(numbers) > _SHOWN else "")
    return f"{word} {listed} is" if len(numbers) == 1 else f"{word}s {listed} are"


def _example(evidence: Evidence, wrong: Array) -> str:
    worst = np.argmax(np.where(wrong, np.abs(evidence.claimed - evidence.measured), -1.0))
    g, n = evidence.claimed.reshape(-1)[worst], evidence.measured.reshape(-1)[worst]
    return f" (for example {g:.4g} in place of {n:.4g})"


def samples(case: Case, evidence: Evidence) -> Cause | None:
    """The gradient of fewer samples than the loss has."""
    if case.alone is None:
        return None
    each = np.stack([evidence.on_grid(claim[evidence.name]) for claim in case.alone])
    mean = each.mean(axis=0)
    # Claims for single samples that are wrong prove nothing; if right, their mean is what was measured.
    if np.linalg.norm((mean - evidence.measured)[evidence.judged]) > 1e-4 * np.linalg.norm(mean):
        return None
    N = len(each)
    for text, chosen in _choices(N):
        total = each[chosen].sum(axis=0)
        for count, how in ((len(chosen), ""), (N, f", though divided by {N}"), (1, ", and not averaged")):
            least = 1e-4 if evidence.claimed.size > 1 else 1e-7
            if evidence.explains(total / count, least=least):
                return Cause("samples", f"it is that of {text} alone, of {N}{how}")
    return Cause(
        "mixed",
        "for each sample alone it is right, only for several together it is not: they are mixed up, as by "
        "q[:, y] in place of q[range(N), y], or (N, 1) and (N,) broadcast to (N, N)",
    )


def _choices(N: int) -> Iterator[tuple[str, Array]]:
    """Samples that may be taken for all: one, all but one, the first or last so many, every other."""
    rows = np.arange(N)
    for i in (0, N - 1, *range(1, N - 1)):
        yield f"sample {i}", rows[i : i + 1]
    for i in (N - 1, 0, *range(1, N - 1)):
        yield f"the samples without {i}", np.delete(rows, i)
    for count in range(2, N - 1):
        yield f"the first {count} samples", rows[:count]
        yield f"the last {count} samples", rows[-count:]
    yield "the even samples", rows[::2]
    yield "the odd samples", rows[1::2]


def unrelated(case: Case, evidence: Evidence) -> Cause:
    """No known cause: how far off it is must do."""
    cosine = evidence.cosine
    if cosine is None:
        return Cause("unrelated", "it should be zero: the loss does not change with this parameter")
    close = "points nearly the same way" if cosine > 0.9 else "has little to do with the right one"
    off = f"cosine {cosine:.2f}, relative error {evidence.relative_error:.2g}"
    return Cause("unrelated", f"it {close} ({off}), and no mistake that nablab knows gives it")
