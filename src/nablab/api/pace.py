"""How long the runs of a comparison take, learnt from those of it that run here."""

from __future__ import annotations

from nablab.runs.planned import Plan


class Pace:
    """Seconds of runs: told of some, it knows of others.

    Runs have sizes: what the plan expects them to take or, where nothing was calibrated, their share of the
    training set. A model's time is taken to grow with size along a straight line.
    """

    def __init__(self, plan: Plan) -> None:
        self._estimated = bool(plan.estimates)
        self.sizes: dict[str, float] = {}
        self._label: dict[str, str] = {}
        self._seconds: dict[str, dict[str, float]] = {}  #: by label and run
        self._means: dict[str, dict[float, float]] = {}  #: by label and size
        for run in plan.runs:
            estimate = plan.estimate(run)
            size = run.fraction if estimate is None else estimate.seconds(plan.epochs(run))
            self.sizes[run.id] = max(size, 1e-6)
            self._label[run.id] = run.label

    def learn(self, run: str, seconds: float) -> None:
        """What a whole run took, or will have taken at its pace."""
        label = self._label[run]
        alike = self._seconds.setdefault(label, {})
        alike[run] = seconds
        by_size: dict[float, list[float]] = {}
        for other, took in alike.items():
            by_size.setdefault(self.sizes[other], []).append(took)
        self._means[label] = {size: sum(all_) / len(all_) for size, all_ in by_size.items()}

    def expect(self, run: str) -> float | None:
        """Seconds that a run takes: as its model does, else as all do, else as planned; None when unknown."""
        size, label = self.sizes[run], self._label[run]
        if not self._seconds:
            return size if self._estimated else None
        if label not in self._means:
            return size * self._of_all()
        own = self._seconds[label].get(run)
        return _on_line(self._means[label], size) if own is None else own

    def _of_all(self) -> float:
        """Seconds for a unit of size."""
        seconds = sum(sum(alike.values()) for alike in self._seconds.values())
        return seconds / sum(self.sizes[run] for alike in self._seconds.values() for run in alike)


def _on_line(known: dict[float, float], size: float) -> float:
    """Through the two sizes that are nearest; through the origin where there is one only."""
    nearest = sorted(known, key=lambda other: abs(other - size))[:2]
    if size in known or len(nearest) == 1:
        return known[nearest[0]] * size / nearest[0]
    (x, y), (x2, y2) = ((other, known[other]) for other in nearest)
    return max(y + (y2 - y) / (x2 - x) * (size - x), 0.0)
