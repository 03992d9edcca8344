"""What a run leaves behind, as a versioned schema. The only bridge between training and what comes after.

A run is a folder:

    run.json          this record
    metrics.jsonl     one `EpochMetrics` a line
    predictions.npz   y (M,), scores (M, K), indices (M,): the test images' positions in the full test set
    examples.npz      images (E, C, H, W) and indices (E,): the few that reports show
    weights.safetensors | estimator.skops | neighbours.npz
    features.json     of which layer of which run an estimator took its features
    deciding.npz      the nearest neighbours of a few test images, where a method asks them
    checkpoint.*      only while it runs
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from nablab.models.model import Engine, LayerRow, ModelKind, ModuleGraph, ScoreKind, SourceFile, Tried

if TYPE_CHECKING:
    from pydantic import TypeAdapter

#: Rises when a field changes its meaning or goes; new optional fields do not raise it.
SCHEMA_VERSION = 1

Status = Literal["planned", "running", "done", "failed", "interrupted"]


@dataclass(frozen=True)
class ModelRecord:
    """What was trained."""

    label: str  #: short name, unique in a comparison
    reference: str  #: what names it again: catalog name, layer string, `file.py:Class`, estimator
    kind: ModelKind
    detail: str  #: one line for tables: the layer string, or an estimator's settings
    score_kind: ScoreKind
    parameters: int | None = None  #: trainable numbers, or those that an estimator keeps; None: not known
    macs: int | None = None  #: for one image, forward; None where not known
    flops: int | None = None  #: 2 x macs
    spec: str | None = None  #: canonical layer string of a network
    layers: tuple[LayerRow, ...] = ()
    graph: ModuleGraph | None = None  #: of a user's module whose code can be followed; what is drawn
    source_file: SourceFile | None = None
    seeded: bool = True  #: False for methods that the seed does not change (nearest neighbours, SVC)
    engine: Engine = "torch"  #: what computed a network or module; estimators have none
    counted: str = ""  #: how the MACs of a fitted estimator come about, as a sum in words
    trained: int | None = None  #: of the parameters, those that training moved; None: all
    frozen: tuple[str, ...] = ()  #: layers with parameters that training left as they were


@dataclass(frozen=True)
class DataRecord:
    """What it was trained and measured on."""

    name: str
    source: str
    fingerprint: str  #: SHA-256, 64 hexadecimal digits
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    fraction: float  #: of the full training set
    test_fraction: float  #: of the full test set that is here
    n_train: int  #: images trained on
    n_validation: int
    n_test: int
    train_total: int  #: images of the full training set
    options: dict[str, Any] = field(default_factory=dict)  #: `size`, `color`, `group`, as given to load
    reference: str = ""  #: what `load` was given: a source's name or a path; empty for live data
    value_range: tuple[float, float] = (0.0, 255.0)  #: of a pixel: what is drawn black and white


@dataclass(frozen=True)
class Environment:
    """Where and with what it ran."""

    nablab: str
    python: str
    platform: str
    cpu: str
    cores: int
    memory_gib: float
    device: str  #: `cpu`, `cuda: NVIDIA ...`
    threads: int  #: that this run computed with
    jobs: int  #: runs that computed at the same time
    packages: dict[str, str] = field(default_factory=dict)  #: name -> version (numpy, torch, scikit-learn)


@dataclass(frozen=True)
class Totals:
    """What a finished run comes to. Accuracies in [0, 1]; times in seconds."""

    epochs: int  #: done; 0 for estimators
    steps: int
    train_seconds: float  #: steps only, or an estimator's fit
    wall_seconds: float
    test_accuracy: float
    test_loss: float | None  #: None for margins
    train_accuracy: float | None = None
    train_loss: float | None = None
    validation_accuracy: float | None = None
    validation_loss: float | None = None
    predict_seconds_1: float | None = None  #: an image, one at a time, median of warmed-up repeats
    predict_seconds_256: float | None = None  #: an image, 256 at a time
    kept_epoch: int | None = None  #: whose weights were kept (1-based); None for estimators
    kept: Literal["last", "best", "averaged", "fit"] = "last"
    size_bytes: int | None = None  #: of the stored weights


@dataclass(frozen=True)
class Failure:
    """Why a run did not finish."""

    message: str
    kind: str  #: `diverged`, `error`, `memory`, `interrupted`
    epoch: int | None = None
    step: int | None = None


def shortened(names: Sequence[str]) -> str:
    """Names of layers in a line: all of a few, the first and the last of many.

    >>> shortened(["0", "3"]), shortened([str(number) for number in range(20)])
    ('0, 3', '0, 1, 2 ... 19')
    """
    if len(names) <= 8:
        return ", ".join(names)
    return f"{', '.join(names[:3])} ... {names[-1]}"


@dataclass(frozen=True)
class StartRecord:
    """The trained weights that a run started from."""

    path: str  #: of a run's folder or a safetensors file, as the user gave it
    sha256: str  #: of the file of weights
    taken: tuple[str, ...]  #: layers whose numbers were taken over
    new: tuple[str, ...] = ()  #: layers that started from chance: the head, or none
    run: str = ""  #: id of the run; empty for a file
    data: str = ""  #: name of what that run was trained on
    data_fingerprint: str = ""  #: of the same
    preprocessing: dict[str, Any] = field(default_factory=dict)  #: that run's

    @property
    def summary(self) -> str:
        """Where the weights come from, what was taken over and what is new, in a line.

        >>> StartRecord("runs/a", 64 * "0", ("0", "3"), ("5",), data="digits").summary
        'runs/a (trained on digits, weights 000000000000): 0, 3 taken over; 5, the head, is new'
        """
        trained = f"trained on {self.data}, " if self.data else ""
        taken = f"{shortened(self.taken)} taken over" if self.taken else "nothing taken over"
        new = f"{', '.join(self.new)}, the head, is new" if self.new else "nothing is new"
        return f"{self.path} ({trained}weights {self.sha256[:12]}): {taken}; {new}"


@dataclass(frozen=True)
class RunRecord:
    """`run.json`."""

    id: str  #: folder name, e.g. `lenet-f0.1-s0`
    status: Status
    created: str  #: ISO 8601, UTC
    model: ModelRecord
    data: DataRecord
    recipe: dict[str, Any]  #: as `Recipe.to_dict`
    environment: Environment
    preprocessing: dict[str, Any] = field(default_factory=dict)  #: fitted, as `Preprocessing.to_dict`
    totals: Totals | None = None  #: when done
    failure: Failure | None = None  #: when failed or interrupted
    start: StartRecord | None = None  #: None: from chance, or from what a user's module brings itself
    remarks: tuple[str, ...] = ()  #: what a library warned of, such as a fit that did not converge
    tried: tuple[Tried, ...] = ()  #: the settings that an estimator's were chosen from, and how each did
    schema: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Indented JSON with a final newline; numbers that are not finite are refused."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@cache
def _schema() -> TypeAdapter[RunRecord]:
    """Made once: it takes longer than reading a record by it."""
    from pydantic import TypeAdapter

    return TypeAdapter(RunRecord)


def parse_record(text: str, where: str) -> RunRecord:
    """The record in the text of a `run.json`; `where` names it in errors.

    Raises:
        UserError: not JSON, not a record, or of a newer schema than this nablab reads.
    """
    from pydantic import ValidationError

    from nablab.errors import UserError

    try:
        values = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise UserError(f"{where} is not JSON (line {error.lineno}): {error.msg}") from error
    except ValueError as error:
        raise UserError(f"{where} is not JSON: {error}") from error
    version = values.get("schema") if isinstance(values, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UserError(f"{where} was written by a newer nablab (schema {version}); update nablab to read it")
    try:
        record = _schema().validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{where} is not a run record: {place}: {first['msg']}") from error
    for name in ("seed", "split_seed"):
        if not isinstance(record.recipe.get(name, 0), int):
            raise UserError(f"{where} is not a run record: recipe.{name}: should be a whole number")
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of a run")
