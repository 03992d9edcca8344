"""Estimators of scikit-learn as ONNX, by skl2onnx, with our preprocessing before them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from nablab.data.preprocess import Preprocessing
from nablab.errors import NablabError
from nablab.models.model import ScoreKind
from nablab.runs import export_onnx
from nablab.runs.export import Asked, input_name
from nablab.runs.record import RunRecord

#: Versions of the operators, of ONNX itself and of its classical models.
_OPSETS = {"": 18, "ai.onnx.ml": 3}
_IR_VERSION = 10
_FEATURES = "nablab_features"


def translate(
    estimator: Any,
    record: RunRecord,
    preprocessing: Preprocessing,
    metadata: Mapping[str, str],
    dtype: np.dtype[Any],
) -> tuple[bytes, Asked]:
    """The content of an ONNX file, and how to ask what is in it: raw values (N, ...) -> scores (N, K).

    Raises:
        UserError: packages are missing.
        NablabError: skl2onnx cannot translate the estimator.
    """
    export_onnx.check_installed()
    from onnx import TensorProto, compose, helper

    core = _core(estimator, record)
    before = _model(_before(record, preprocessing, dtype))
    seen = core.graph.output[1].name  # the first output is the label
    whole = compose.merge_models(before, core, io_map=[(_FEATURES, _FEATURES)], outputs=[seen])
    whole.graph.node.append(helper.make_node("Identity", [seen], [export_onnx.OUTPUT]))
    scores: list[str | int | None] = [export_onnx.BATCH, len(record.data.classes)]
    del whole.graph.output[:]
    whole.graph.output.append(helper.make_tensor_value_info(export_onnx.OUTPUT, TensorProto.FLOAT, scores))
    content = export_onnx.finish(whole, metadata)
    return content, partial(export_onnx.ask, content)


def _core(estimator: Any, record: RunRecord) -> Any:
    """What skl2onnx makes of it: features (N, D) -> labels, and probabilities or margins (N, K)."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    features = [(_FEATURES, FloatTensorType([None, math.prod(record.data.input_shape)]))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own reading of scikit-learn
        try:
            core = to_onnx(
                estimator,
                initial_types=features,
                options=_options(estimator, record.model.score_kind),
                target_opset=_OPSETS,
            )
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise NablabError(f"skl2onnx cannot translate {record.model.label}: {reason[:160]}") from error
    opsets = {entry.domain: entry.version for entry in core.opset_import} | _OPSETS
    del core.opset_import[:]
    core.opset_import.extend(_opset(domain, version) for domain, version in opsets.items())
    core.ir_version = _IR_VERSION
    return core


def _options(estimator: Any, kind: ScoreKind) -> dict[int, dict[str, bool]]:
    """Scores as one matrix, and of margins the raw ones, for the last step of a pipeline."""
    from sklearn.svm import LinearSVC

    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    options = {} if isinstance(last, LinearSVC) else {"zipmap": False}  # that one never makes maps
    return {id(last): options | ({"raw_scores": True} if kind == "margins" else {})}


def _before(record: RunRecord, preprocessing: Preprocessing, dtype: np.dtype[Any]) -> Any:
    """Raw values -> float32 features (N, D), preprocessed and flattened."""
    from onnx import TensorProto, helper

    shape = record.data.input_shape
    along = (1, -1) + (1,) * (len(shape) - 1)
    numbers = {
        name: np.asarray(values, np.float32).reshape(along)
        for name, values in (("shift", preprocessing.shift), ("scale", preprocessing.scale))
    }
    numbers["flat"] = np.array([-1, math.prod(shape)], np.int64)
    name, kind = input_name(record), helper.np_dtype_to_tensor_dtype(dtype)
    return helper.make_graph(
        [
            helper.make_node("Cast", [name], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["float", "shift"], ["shifted"]),
            helper.make_node("Div", ["shifted", "scale"], ["scaled"]),
            helper.make_node("Reshape", ["scaled", "flat"], [_FEATURES]),
        ],
        "preprocessing",
        [helper.make_tensor_value_info(name, kind, [export_onnx.BATCH, *shape])],
        [helper.make_tensor_value_info(_FEATURES, TensorProto.FLOAT, [export_onnx.BATCH, math.prod(shape)])],
        [_constant(name, values) for name, values in numbers.items()],
    )


def _model(graph: Any) -> Any:
    from onnx import helper

    opsets = [_opset(domain, version) for domain, version in _OPSETS.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)


def _opset(domain: str, version: int) -> Any:
    from onnx import helper

    return helper.make_opsetid(domain, version)


def _constant(name: str, values: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(values, name)
