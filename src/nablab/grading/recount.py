"""What a record says beside its scores, held against itself: its curves, and its costs counted again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from nablab.analysis.results import RunData
from nablab.grading.rescoring import attempt
from nablab.runs.record import ModelRecord, RunRecord
from nablab.runs.store import RunFolder

#: Two losses are the same up to so much, relatively: float32 sums in another order.
LOSS_ROUNDING = 1e-4

#: Two accuracies of one network on an accelerator are the same up to so much.
COARSE_TIES = 0.002


def agree(a: float | None, b: float | None, tolerance: float) -> bool:
    """Whether two numbers are the same up to `tolerance`, or both are missing."""
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


def curve_findings(run: RunData) -> Iterator[str]:
    """Where `metrics.jsonl` and `run.json` do not tell one story."""
    totals, n_test = run.record.totals, run.record.data.n_test
    assert totals is not None
    if run.record.model.kind == "estimator":
        return
    metrics = run.metrics
    if not metrics:
        yield "it has no metrics.jsonl: nothing shows that it was trained"
        return
    last = metrics[-1]
    if (last.epoch, last.step) != (totals.epochs, totals.steps):
        yield (
            f"metrics.jsonl ends at epoch {last.epoch}, step {last.step}; run.json says epoch "
            f"{totals.epochs}, step {totals.steps}"
        )
    kept = next((line for line in metrics if line.epoch == totals.kept_epoch), None)
    if kept is None:
        yield f"run.json kept the weights of epoch {totals.kept_epoch}, which metrics.jsonl does not have"
        return
    for name in ("train_accuracy", "train_loss", "validation_accuracy", "validation_loss"):
        if not agree(getattr(kept, name), getattr(totals, name), 1e-9):
            yield (
                f"metrics.jsonl has {name} {getattr(kept, name)} at epoch {kept.epoch}, run.json "
                f"{getattr(totals, name)}"
            )
    # Test images are measured in other batches at the end: an image between two classes may fall otherwise,
    # and several where an accelerator multiplies with fewer digits.
    most = max(1.5 / max(1, n_test), 0.0 if run.record.environment.device == "cpu" else COARSE_TIES)
    if kept.test_accuracy is not None and abs(kept.test_accuracy - totals.test_accuracy) > most:
        yield (
            f"metrics.jsonl has test_accuracy {kept.test_accuracy:.4f} at epoch {kept.epoch}, run.json "
            f"{totals.test_accuracy:.4f}"
        )


def recounted(run: RunData) -> tuple[ModelRecord, list[str]]:
    """The model with its costs counted again, and where the record has others.

    A network is counted by its layers; a user's module by its stored weights, and by the sum of its layers;
    an estimator by what is stored of it, where that can be read without the images.
    """
    model = run.record.model
    if model.kind == "estimator":
        return model, []
    if model.spec is None:
        found, _, wrong = attempt(lambda: _stored_numbers(run.folder))
        listed = sum(row.parameters for row in model.layers)
        if wrong or (model.parameters in (found, listed) or not model.layers):
            return model, []
        return model, [f"run.json says {model.parameters:,} parameters; its layers have {listed:,}"]
    truth, _, wrong = attempt(lambda: _of_spec(run.record))
    if wrong:
        return model, [f"its layers cannot be read: {wrong}"]
    lines = [
        f"run.json says {getattr(model, name)} {name}, its layers have {getattr(truth, name)}"
        for name in ("parameters", "macs", "flops")
        if getattr(model, name) != getattr(truth, name)
    ]
    return truth, lines


def _of_spec(record: RunRecord) -> ModelRecord:
    from nablab.models.cost import count
    from nablab.models.language import parse
    from nablab.models.shapes import trace

    rows = trace(parse(record.model.spec or ""), record.data.input_shape, len(record.data.classes))
    cost = count(rows)
    return replace(
        record.model, parameters=cost.parameters, macs=cost.macs, flops=cost.flops, layers=tuple(rows)
    )


def _stored_numbers(run: RunFolder) -> int:
    """Parameters among the stored weights: without what normalisation layers count."""
    counted = ("running_mean", "running_var", "num_batches_tracked")
    return sum(int(value.size) for name, value in run.weights().items() if not name.endswith(counted))
