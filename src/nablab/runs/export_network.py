"""Networks and users' modules as ONNX, as `torch.export` programs, and as plain weights."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nablab.data.preprocess import Preprocessing
from nablab.errors import NablabError
from nablab.runs import export_onnx
from nablab.runs.export import Asked, Format, input_name
from nablab.runs.record import RunRecord
from nablab.training.recipe import Recipe
from nablab.training.recipe_values import TtaName
from nablab.training.tensors import copy_in, tensors_of, to_array

#: The file inside a `.pt2` that holds the metadata.
METADATA = "nablab.json"


class FromPixels(nn.Module):
    """A network with its preprocessing before it: raw values (N, ...) as stored -> scores (N, K).

    Test-time augmentation, where the run had some, is inside too.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, network: nn.Module, preprocessing: Preprocessing, ndim: int, tta: TtaName) -> None:
        super().__init__()
        self.network = network
        self.tta = tta
        along = (1, -1) + (1,) * (ndim - 2)
        self.register_buffer("shift", torch.tensor(preprocessing.shift, dtype=torch.float32).reshape(along))
        self.register_buffer("scale", torch.tensor(preprocessing.scale, dtype=torch.float32).reshape(along))

    def forward(self, x: Tensor) -> Tensor:
        x = (x.to(torch.float32) - self.shift) / self.scale
        scores: Tensor = self.network(x).float()
        return scores if self.tta == "none" else (scores + self.network(x.flip(-1)).float()) / 2


def translate(
    module: nn.Module,
    record: RunRecord,
    preprocessing: Preprocessing,
    format_: Format,
    metadata: Mapping[str, str],
    dtype: np.dtype[Any],
) -> tuple[bytes, Asked]:
    """The content of a file, and how to ask what is in it.

    Args:
        module: trained, in evaluation mode: preprocessed float32 (N, ...) -> logits (N, K).
        dtype: of raw images.

    Raises:
        UserError: packages are missing.
        NablabError: the module cannot be traced.
    """
    module = module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    ndim, tta = 1 + len(record.data.input_shape), Recipe.from_dict(record.recipe).tta
    whole = FromPixels(module, preprocessing, ndim, tta).eval()
    if format_ == "safetensors":
        return _safetensors(whole, module, metadata)
    if format_ == "onnx":
        export_onnx.check_installed()
    program = trace(whole, record, dtype)
    return _onnx(program, record, metadata) if format_ == "onnx" else _pt2(program, metadata)


def trace(module: nn.Module, record: RunRecord, dtype: np.dtype[Any]) -> Any:
    """The module as a graph whose first axis may have any length.

    Raises:
        NablabError: `torch.export` cannot follow it; its reason.
    """
    kind = torch.from_numpy(np.empty(0, dtype)).dtype
    sample = torch.zeros((2, *record.data.input_shape), dtype=kind)
    with _quietly():
        try:
            batch = torch.export.Dim(export_onnx.BATCH)
            return torch.export.export(module, (sample,), dynamic_shapes=({0: batch},))
        except Exception as error:  # whatever a user's code, or the tracer in it, raises
            raise NablabError(
                f"{record.model.label} cannot be traced by torch.export, which needs a forward() that "
                f"computes alike whatever the values and the number of images: {_first_line(error)}"
            ) from error


def _onnx(program: Any, record: RunRecord, metadata: Mapping[str, str]) -> tuple[bytes, Asked]:
    with _quietly():
        try:
            made = torch.onnx.export(
                program,
                input_names=[input_name(record)],
                output_names=[export_onnx.OUTPUT],
                dynamo=True,
                verbose=False,
            )
        except Exception as error:
            raise NablabError(
                f"{record.model.label} has an operation that ONNX has not: {_first_line(error)}"
            ) from error
    assert made is not None
    content = export_onnx.finish(made.model_proto, metadata)
    return content, partial(export_onnx.ask, content)


def _pt2(program: Any, metadata: Mapping[str, str]) -> tuple[bytes, Asked]:
    file = io.BytesIO()
    with _quietly():
        torch.export.save(program, file, extra_files={METADATA: json.dumps(metadata, ensure_ascii=False)})
        file.seek(0)
        loaded = torch.export.load(file).module()
    return file.getvalue(), partial(_ask, loaded)


def _safetensors(whole: FromPixels, module: nn.Module, metadata: Mapping[str, str]) -> tuple[bytes, Asked]:
    """The weights by the names of the state dict; what is read again, the network then computes with."""
    from safetensors.numpy import load, save

    tensors = tensors_of(module)
    content = save({name: to_array(value) for name, value in tensors.items()}, dict(metadata))
    copy_in(tensors, load(content))
    return content, partial(_ask, whole)


def _ask(module: nn.Module, images: NDArray[Any]) -> NDArray[np.float32]:
    with torch.no_grad():
        return np.asarray(module(torch.from_numpy(images)).numpy(), np.float32)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what PyTorch's exporters tell: their own deprecations, absent torchvision, pages of graph."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _first_line(error: Exception) -> str:
    """What an error says first, since the tracer's go on for pages."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
