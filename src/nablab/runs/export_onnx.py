"""What every ONNX file of ours has in common: its extra, its names, its metadata, and how it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.errors import UserError

OUTPUT = "scores"
BATCH = "batch"

_PACKAGES = ("onnx", "onnxruntime", "onnxscript", "skl2onnx")


def check_installed() -> None:
    """Refuse early where the extra is missing.

    Raises:
        UserError: it is; says what to install.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(f"ONNX needs {', '.join(missing)}; install the extra: pip install 'nablab[onnx]'")


def finish(proto: Any, metadata: Mapping[str, str]) -> bytes:
    """The model as a file: first axes called `batch`, metadata set, found sound by onnx's own checker."""
    import onnx

    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    del proto.graph.value_info[:]  # shapes in between: of no use to who runs it, and under the old name
    proto.producer_name, proto.producer_version = "nablab", metadata["nablab"]
    proto.doc_string = ""
    onnx.helper.set_model_props(proto, dict(metadata))
    onnx.checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString())


def ask(content: bytes, images: NDArray[Any]) -> NDArray[np.float32]:
    """What onnxruntime says about raw images (N, ...): scores (N, K)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (scores,) = session.run([OUTPUT], {session.get_inputs()[0].name: images})
    return np.asarray(scores, np.float32)
