"""Tensors in files: NumPy's archives, without pickle, so that a file holds values and can run nothing.

An archive has the arrays by number, and a text that says in what order of lists and dicts they stood.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from nablab.atomic import write_bytes
from nablab.autograd.dtypes import Array
from nablab.autograd.errors import AutogradError
from nablab.autograd.tensor import Tensor


def save(obj: Any, path: str | Path) -> None:
    """Write tensors, or dicts, lists and tuples of tensors, arrays, numbers and texts: a `state_dict()`.

    The file is the old one or the new one, never half of one.

    Raises AutogradError for anything else: a module is saved by its state_dict().

    >>> from tempfile import TemporaryDirectory
    >>> from nablab import autograd
    >>> with TemporaryDirectory() as folder:
    ...     autograd.save({"w": autograd.ones(2), "epoch": 3}, folder + "/state.npz")
    ...     autograd.load(folder + "/state.npz")
    {'w': tensor([1., 1.]), 'epoch': 3}
    """
    arrays: list[Array] = []
    structure = json.dumps(_described(obj, arrays))
    content = BytesIO()
    named: dict[str, Any] = {str(i): array for i, array in enumerate(arrays)}
    np.savez(content, structure=np.array(structure), **named)
    write_bytes(path, content.getvalue())


def load(path: str | Path, map_location: Any = None, weights_only: bool = True) -> Any:
    """What `save` wrote. Raises AutogradError where there is no such file, or where it is another's."""
    if not Path(path).is_file():
        raise AutogradError(f"load: there is no file {path}")
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return _restored(json.loads(str(archive["structure"])), lambda i: np.array(archive[str(i)]))
    except (BadZipFile, KeyError, ValueError, TypeError, OSError, EOFError) as error:
        raise AutogradError(f"load: {path} is no file that save() wrote, or is damaged ({error})") from error


def _described(obj: Any, arrays: list[Array]) -> Any:
    """`obj` for JSON, where a dict says what each thing is; its arrays are put into `arrays`."""
    if isinstance(obj, Tensor | np.ndarray):
        arrays.append(obj.value if isinstance(obj, Tensor) else obj)
        if isinstance(obj, Tensor):
            return {"tensor": len(arrays) - 1, "requires_grad": obj.requires_grad}
        return {"array": len(arrays) - 1}
    if isinstance(obj, Mapping):
        return {"dict": [[_described(part, arrays) for part in pair] for pair in obj.items()]}
    if isinstance(obj, list | tuple):
        kind = "tuple" if isinstance(obj, tuple) else "list"
        return {kind: [_described(part, arrays) for part in obj]}
    if isinstance(obj, np.generic):
        return obj.item()
    if obj is None or isinstance(obj, bool | int | float | str):
        return obj
    raise AutogradError(
        f"save() writes tensors, arrays, numbers, texts, and dicts, lists and tuples of them, not a "
        f"{type(obj).__name__}; of a module save the state_dict()"
    )


def _restored(described: Any, array: Callable[[int], Array]) -> Any:
    if not isinstance(described, dict):
        return described
    (kind, content), *more = described.items()
    if kind == "tensor":
        return Tensor(array(content), dict(more)["requires_grad"])
    if kind == "array":
        return array(content)
    if kind == "dict":
        return {_restored(key, array): _restored(value, array) for key, value in content}
    parts = [_restored(part, array) for part in content]
    return tuple(parts) if kind == "tuple" else parts
