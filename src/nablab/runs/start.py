"""What a run starts from when not from chance: the weights of an earlier run, or of a safetensors file.

They are read once, when a comparison is planned, and kept in its folder: that can be resumed, and moved,
without the run that they came from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nablab import atomic
from nablab.data.dataset import Dataset
from nablab.data.preprocess import Preprocessing
from nablab.errors import UserError
from nablab.models.model import LayerRow, Model
from nablab.models.named_code import named_by
from nablab.models.started import divide
from nablab.runs.arrays import parse_tensors
from nablab.runs.record import RunRecord, StartRecord
from nablab.runs.store import WEIGHTS, find_runs
from nablab.training.recipe import Recipe
from nablab.training.start import Start, take_over
from nablab.training.trainable import Arrays

#: The copies of weights in a comparison's folder, by their hash.
STARTS = "starts"


@dataclass(frozen=True, eq=False)
class KeptStart:
    """What a model starts from: what records say of it, and the weights' file as bytes."""

    record: StartRecord
    content: bytes = field(repr=False)

    @cached_property
    def start(self) -> Start:
        """The weights."""
        fitted = self.record.preprocessing
        return Start(
            origin=self.record.path,
            weights=parse_tensors(self.content, self.record.path),
            new_head=bool(self.record.new),
            preprocessing=Preprocessing.from_dict(fitted) if fitted else None,
        )

    def write(self, out: Path) -> None:
        """Keep the weights in a comparison's folder."""
        path = _kept(out, self.record)
        if not path.exists():
            atomic.write_bytes(path, self.content)


def read_kept(out: Path, record: StartRecord) -> KeptStart:
    """What `KeptStart.write` kept.

    Raises:
        UserError: it is gone, or not the same any more.
    """
    content = _read(_kept(out, record))
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise UserError(f"{_kept(out, record)} has changed since {out} was planned; start a new --out")
    return KeptStart(record, content)


def plan_start(model: Model, dataset: Dataset, recipe: Recipe) -> KeptStart:
    """Read what a model starts from, and find that it fits.

    The head is replaced where the recipe asks for it, where the weights' head is for another number of
    classes, and where their run knew other classes.

    Raises:
        UserError: no weights there, or weights that don't fit: the first layer that differs; a preprocessing
            that is not known, or is for other values.
    """
    path = Path(model.start)
    weights, run = _find(path)
    content = _read(weights)
    tensors = parse_tensors(content, str(weights))
    if run is not None:
        _check_same_network(model, run, path)
    new_head = recipe.new_head or (run is not None and run.data.classes != dataset.classes) or None
    own, rows = _own(model, dataset, recipe.seed)
    try:
        _, taken = take_over(own, rows, Start(model.start, tensors, new_head), model.label)
    except UserError as error:
        raise UserError(f"{error}{_trained_on(run, dataset)}") from None
    record = StartRecord(
        path=model.start,
        sha256=hashlib.sha256(content).hexdigest(),
        taken=taken.layers,
        new=taken.new,
    )
    if run is not None:
        record = replace(
            record,
            run=run.id,
            data=run.data.name,
            data_fingerprint=run.data.fingerprint,
            preprocessing=run.preprocessing,
        )
    if recipe.preprocessing == "init":
        _check_preprocessing(model, run, dataset)
    return KeptStart(record, content)


def network_of(path: Path | str) -> Model:
    """The network that a run trained.

    Raises:
        UserError: no run there, or one of a class of a Python session; a file that its user never named.
    """
    from nablab.models.reference import resolve

    _, run = _find(Path(path))
    if run is None:
        raise UserError(f"{path} does not say of which network it is; name that too, as in lenet@{path}")
    if run.model.kind == "module" and run.model.source_file is None:
        raise UserError(f"{path} is a run of a class of a Python session; give that class too")
    with named_by(Path(path)):
        return resolve(divide(run.model.reference)[0])


def _find(path: Path) -> tuple[Path, RunRecord | None]:
    """The file of weights that a path names, and the record of its run where it is one's folder."""
    if not path.is_dir():
        if path.suffix != ".safetensors":
            raise UserError(f"no run {path}; init takes a run's folder, or a .safetensors file")
        return path, None
    runs = find_runs(path)
    if len(runs) > 1:
        raise UserError(f"{path} holds {len(runs)} runs; name one of them, for example {runs[0].path}")
    run, record = runs[0], runs[0].record()
    if record.model.kind == "estimator":
        raise UserError(f"{path} is a run of {record.model.label}, which has no weights to start from")
    if record.status != "done":
        raise UserError(f"the run in {path} is {record.status}, not done; let it finish, then start from it")
    return run.path / WEIGHTS, record


def _check_same_network(model: Model, run: RunRecord, path: Path) -> None:
    if model.spec is not None and run.model.spec is not None and str(model.spec) != run.model.spec:
        raise UserError(
            f"{model.label.removesuffix('-tuned')} is another network than that of {path}, which is "
            f"{run.model.label}: {run.model.spec}; give that one, or write NETWORK@{path} for it alone"
        )


def _check_preprocessing(model: Model, run: RunRecord | None, dataset: Dataset) -> None:
    if run is None:
        raise UserError(
            f"preprocessing init takes over a run's, and {model.start} is not a run; "
            "choose standardize, unit, center or none"
        )
    if run.data.value_range != dataset.value_range:
        (low, high), (here_low, here_high) = run.data.value_range, dataset.value_range
        raise UserError(
            f"the preprocessing of {model.start} is for values from {low:g} to {high:g}, and those of "
            f"{dataset.name} go from {here_low:g} to {here_high:g}; choose standardize"
        )


def _trained_on(run: RunRecord | None, dataset: Dataset) -> str:
    """What to compare images by, where theirs have another shape."""
    if run is None or run.data.input_shape == dataset.input_shape:
        return ""
    there, here = (" x ".join(map(str, shape)) for shape in (run.data.input_shape, dataset.input_shape))
    return f" (it was trained on images of {there}, these are {here}: --size and --color change them)"


def _own(model: Model, dataset: Dataset, seed: int) -> tuple[Arrays, tuple[LayerRow, ...]]:
    """What the network would start with from chance, and its layer table."""
    shape, classes = dataset.input_shape, len(dataset.classes)
    if model.spec is not None:
        from nablab.models.initial import initial_weights
        from nablab.models.shapes import trace

        return initial_weights(model.spec, shape, classes, seed), trace(model.spec, shape, classes)
    assert model.factory is not None
    from nablab.models.torch_module import describe
    from nablab.training.tensors import tensors_of, to_array

    module: Any = model.factory(shape, classes)
    own = {name: to_array(value) for name, value in tensors_of(module).items()}
    return own, describe(module, shape)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"no weights {path}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def _kept(out: Path, record: StartRecord) -> Path:
    return out / STARTS / f"{record.sha256[:16]}{Path(WEIGHTS).suffix}"
