"""Fitted scikit-learn estimators on disk, without pickle: skops, and for nearest neighbours the rows."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab import atomic
from nablab.data.dataset import Dataset
from nablab.data.preprocess import Preprocessing
from nablab.errors import UserError
from nablab.runs.arrays import read_arrays, write_arrays
from nablab.runs.compiled_parts import check_parts
from nablab.runs.features import run_folder, weights_hash
from nablab.runs.planned import DataReference
from nablab.runs.record import RunRecord
from nablab.runs.store import WEIGHTS

ESTIMATOR = "estimator.skops"
NEIGHBOURS = "neighbours.npz"
FEATURES = "features.json"

#: What skops doesn't trust by itself and estimators hold. Each is a plain container of numbers and of others.
TRUSTED = (
    "nablab.models.backbone_features.BackboneFeatures",
    "nablab.models.hog.HogFeatures",
    "nablab.models.kernel_map.KernelMap",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.utils._bunch.Bunch",
    "sklearn.tree._tree.Tree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)


def write_estimator(folder: Path, estimator: Any, rows: NDArray[np.int64], dataset: Dataset) -> int:
    """Store a fitted estimator; the size of the file in bytes.

    Nearest neighbours are the training images themselves, so only their positions in the full training set
    are stored, with the settings; the record's fingerprint says of which data. Of features, which run and
    layer they are of, and the hash of its weights, whose size counts.

    Args:
        rows: of `dataset.x_train`, that it was fitted on, in their order.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import Pipeline
    from skops.io import dumps

    from nablab.models.neighbours import NearestNeighbours
    from nablab.runs.layer_features import LayerFeatures

    size = 0
    if isinstance(estimator, Pipeline) and isinstance(estimator[0], LayerFeatures):
        size = _write_features(folder, estimator[0])
        estimator = estimator[-1] if len(estimator) == 2 else Pipeline(estimator.steps[1:])
    if type(estimator) in (KNeighborsClassifier, NearestNeighbours):
        settings = json.dumps(estimator.get_params())
        path = folder / NEIGHBOURS
        write_arrays(path, indices=dataset.train_ids[rows], settings=np.array(settings))
    else:
        path = folder / ESTIMATOR
        atomic.write_bytes(path, dumps(estimator, compression=zipfile.ZIP_DEFLATED, compresslevel=6))
    return size + path.stat().st_size


def read_estimator(folder: Path, record: RunRecord, dataset: Dataset | None = None) -> Any:
    """The fitted estimator of a run.

    Args:
        dataset: for nearest neighbours, the data of the run; None loads it as the run did.

    Raises:
        UserError: there is none; it is damaged, or holds types that nablab does not trust; the data of
            nearest neighbours has changed.
    """
    features = _read_features(folder)
    if (folder / NEIGHBOURS).exists():
        return _read_neighbours(folder / NEIGHBOURS, record, dataset, features)
    estimator = _read_skops(folder)
    if features is None:
        return estimator
    from sklearn.pipeline import Pipeline

    steps = estimator.steps if isinstance(estimator, Pipeline) else [("head", estimator)]
    return Pipeline([("features", features), *steps])


def _read_skops(folder: Path) -> Any:
    from skops.io import get_untrusted_types, loads

    try:
        content = (folder / ESTIMATOR).read_bytes()
        unknown = sorted(set(get_untrusted_types(data=content)) - set(TRUSTED))
        if unknown:
            raise UserError(f"{folder / ESTIMATOR} holds {', '.join(unknown)}, which nablab does not trust")
        estimator = loads(content, trusted=list(TRUSTED))
        check_parts(estimator)
        return estimator
    except FileNotFoundError:
        raise UserError(f"no {ESTIMATOR} in {folder}; the run has not finished") from None
    except UserError:
        raise
    except Exception as error:  # skops raises whatever its parts do on a damaged file
        reason = str(error) or type(error).__name__
        raise UserError(f"cannot read {folder / ESTIMATOR}: {reason}") from error


def _write_features(folder: Path, features: Any) -> int:
    values = {"run": features.run, "layer": features.layer, "sha256": features.sha256_}
    atomic.write_text(folder / FEATURES, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    return int((run_folder(features.run).path / WEIGHTS).stat().st_size)


def _read_features(folder: Path) -> Any:
    """The fitted features that a run works on; None for pixels."""
    if not (folder / FEATURES).exists():
        return None
    from nablab.runs.layer_features import LayerFeatures

    try:
        values = json.loads((folder / FEATURES).read_text(encoding="utf-8"))
        run, layer, sha256 = (str(values[name]) for name in ("run", "layer", "sha256"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot read {folder / FEATURES}: {error}") from error
    if weights_hash(run_folder(run)) != sha256:
        raise UserError(f"the weights in {run} have changed since {folder} worked on their features")
    return LayerFeatures(run, layer).fit(None)


def _read_neighbours(path: Path, record: RunRecord, dataset: Dataset | None, features: Any) -> Any:
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import Pipeline

    from nablab.models.neighbours import NearestNeighbours

    ids, settings = read_arrays(path, ("indices", "settings"))
    if dataset is None:
        dataset = DataReference(record.data.reference, record.data.options).load(str(path.parent))
    if dataset.fingerprint != record.data.fingerprint:
        raise UserError(
            f"{path.parent} keeps its neighbours as positions in {record.data.name}, "
            f"and that has changed since (another fingerprint)"
        )
    preprocessing = Preprocessing.from_dict(record.preprocessing)
    try:
        position = {int(number): row for row, number in enumerate(dataset.train_ids)}
        rows = np.array([position[int(number)] for number in ids])
        x, y = preprocessing.apply(dataset.x_train[rows]).reshape(len(rows), -1), dataset.y_train[rows]
        values = json.loads(str(settings))
        head = NearestNeighbours(**values) if "k" in values else KNeighborsClassifier(**values)
        head.fit(x if features is None else features.transform(x), y)
    except (LookupError, TypeError, ValueError) as error:  # scikit-learn's own is of these
        raise UserError(f"cannot read {path}: {type(error).__name__}: {str(error)[:100]}") from error
    return head if features is None else Pipeline([("features", features), ("head", head)])
