"""The models of a request, and what they start from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nablab.errors import UserError

if TYPE_CHECKING:
    from nablab.models.model import Model
    from nablab.runs.experiment import Experiment
    from nablab.runs.planned import Plan


def resolved(named: Sequence[Any], init: str | Path | None, otherwise: Sequence[str]) -> tuple[Model, ...]:
    """The models that are named; with `init` all start from it, by default the network that it is of.

    Args:
        otherwise: what is meant where neither models nor `init` are given.

    Raises:
        UserError: unknown models, or one that cannot start from `init`.
    """
    from nablab.models.reference import resolve, resolve_all
    from nablab.models.started import start_from
    from nablab.runs.start import network_of

    if init is None:
        return resolve_all(named or otherwise)
    return resolve_all([start_from(resolve(model), init) for model in named or [network_of(init)]])


def check_same(plan: Plan, experiment: Experiment) -> None:
    """Refuse to repeat an experiment with other weights than it started from.

    Raises:
        UserError: which they are, and what to do.
    """
    for label, kept in plan.starts.items():
        reference, sha256 = plan.model(label).reference, kept.record.sha256
        if experiment.starts.get(reference, sha256) != sha256:
            raise UserError(
                f"the weights of {kept.record.path} are others than when the experiment was planned (SHA-256 "
                f"{sha256[:12]}); restore them, or remove {reference} from its starts"
            )
