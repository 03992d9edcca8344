"""Models that start from trained weights: `lenet@RUN`, with a run's folder or a file of weights."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from nablab.errors import UserError
from nablab.models.model import Model

#: A model, and after an `@` what it starts from. A user's file may have an `@` in its own path.
_STARTED = re.compile(r"(?P<model>.+?\.py(?::\w+)?|[^@]+)@(?P<start>.+)")


def divide(text: str) -> tuple[str, str]:
    """The model, and what it starts from; empty where it starts from chance.

    >>> divide("lenet@results/runs/lenet-f1-s0"), divide("me@home/net.py:Net@net.safetensors")
    (('lenet', 'results/runs/lenet-f1-s0'), ('me@home/net.py:Net', 'net.safetensors'))
    >>> divide("me@home/net.py:Net"), divide("32C3-ReLU-K")
    (('me@home/net.py:Net', ''), ('32C3-ReLU-K', ''))
    """
    found = _STARTED.fullmatch(text)
    if found is None or (text.count("@") == 1 and re.search(r"@.*\.py(:\w+)?$", text)):
        return text, ""
    return found["model"].strip(), found["start"].strip()


def start_from(model: Model, path: str | Path) -> Model:
    """The model, starting from the weights of a run or of a safetensors file. Nothing is read yet.

    Raises:
        UserError: an estimator, or a model that starts from weights already.
    """
    if model.kind == "estimator":
        raise UserError(
            f"{model.label} has no weights to start from; leave out init, and write NETWORK@{path} for the "
            "models that do start from them"
        )
    if model.start:
        raise UserError(f"{model.reference} starts from {model.start} already; leave out init")
    return replace(
        model,
        label=f"{model.label}-tuned",
        reference=f"{model.reference}@{path}",
        detail=f"{model.detail}, from {Path(path).name}",
        start=str(path),
    )
