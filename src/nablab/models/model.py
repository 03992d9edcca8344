"""A model that a user named, resolved: what it is and how to build it, nothing trained yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from nablab.data.preprocess import Preprocessing
from nablab.models.spec import Spec

ModelKind = Literal["network", "module", "estimator"]
ScoreKind = Literal["logits", "probabilities", "margins"]
Engine = Literal["torch", "numpy"]


@dataclass(frozen=True)
class SourceFile:
    """The file that a user's model came from."""

    path: str  #: as the user gave it
    sha256: str  #: of the file when the run was planned
    commit: str = ""  #: git commit of its repository, empty outside of one
    modified: bool = False  #: whether it differed from that commit


@dataclass(frozen=True)
class LayerRow:
    """One row of a network's layer table."""

    path: str  #: name inside the network, e.g. `0` or `3.body.1`; the prefix of its parameters
    layer: str  #: the layer as the layer language prints it, or the class name of a user's module
    input_shape: tuple[int, ...]  #: without the batch axis
    output_shape: tuple[int, ...]  #: without the batch axis
    parameters: int
    macs: int  #: multiply-accumulates for one image; convolutions and linear layers count


@dataclass(frozen=True)
class GraphNode:
    """One operation of a traced module."""

    name: str  #: unique in its graph
    op: Literal["input", "module", "function", "parameter", "output"]
    label: str  #: what to write on it: `Conv2d`, `flatten`, `add`
    shape: tuple[int, ...]  #: of what it returns, without the batch axis; a parameter's own shape
    path: str = ""  #: where the module is in the traced one, e.g. `features.0`; empty for functions


@dataclass(frozen=True)
class ModuleGraph:
    """The operations of a user's module, in the order of computation, as plain data to be drawn."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[tuple[str, str], ...]  #: names of nodes: from what is computed to what reads it


@dataclass(frozen=True)
class Setting:
    """One of the settings of an estimator that is chosen among the training images."""

    text: str  #: as the leader board writes it: `SVC(C=10, kernel=poly)`
    make: Callable[[int], Any]  #: seed -> unfitted estimator


@dataclass(frozen=True)
class Tried:
    """How a setting did when settings were chosen."""

    setting: str
    accuracy: float  #: on the validation images, or in cross-validation inside the training images
    seconds: float  #: fitting and scoring
    chosen: bool


@dataclass(frozen=True)
class FeatureSource:
    """A layer of a run, whose outputs a method works on."""

    run: str  #: its folder, as the user gave it
    layer: str  #: the layer's name in the layer table


@dataclass(frozen=True)
class Model:
    """What `resolve` makes of a reference.

    Exactly one of `spec` (kind network), `factory` (kind module) and `estimator` (kind estimator) is there.
    """

    label: str  #: short name for tables
    reference: str  #: what names it again in another process; for live classes, their qualified name
    kind: ModelKind
    detail: str  #: one line: the layer string, the class name, an estimator's settings
    spec: Spec | None = None
    factory: Callable[[tuple[int, ...], int], Any] | None = None  #: (input shape, classes) -> nn.Module
    estimator: Callable[[int], Any] | None = None  #: seed -> unfitted scikit-learn estimator
    score_kind: ScoreKind = "logits"
    source_file: SourceFile | None = None
    live: bool = False  #: a class or object of this process: cannot be sent to another
    counts: Callable[[tuple[int, ...], int], tuple[int, int]] | None = None
    #: for estimators whose size follows from the data: (input shape, classes) -> (parameters, MACs)
    seeded: bool = True  #: False where the seed changes nothing (nearest neighbours, SVC)
    engine: Engine = "torch"  #: what computes a network; estimators have none
    slow: str = ""  #: for estimators that take long at full size: a line to announce it with
    fed: str = ""  #: the preprocessing that it needs, whatever the recipe says; empty: the recipe's
    start: str = ""  #: a run's folder, or a file, whose weights a network starts from; empty: from chance
    settings: tuple[Setting, ...] = ()  #: of an estimator, to be chosen from; `estimator` makes the first
    fast: bool = False  #: an estimator that scikit-learn-intelex is to fit, where it is installed
    features: FeatureSource | None = None  #: what an estimator works on in place of pixels
    preprocessing: Preprocessing | None = None  #: of the run whose features those are, once it was read
