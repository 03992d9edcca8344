"""Named arrays in files: safetensors for weights, NumPy archives for the rest. Never a pickled object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab import atomic
from nablab.errors import UserError

Array = NDArray[Any]


def write_tensors(path: Path, tensors: dict[str, Array], metadata: dict[str, str]) -> None:
    """A safetensors file, whole or not at all."""
    from safetensors.numpy import save

    # `save` copies memory as it lies, so each array has to lie in C order; and unlike safetensors' own
    # writer, ours says what is wrong with the disk.
    whole = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    atomic.write_bytes(path, save(whole, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises:
        UserError: there is none, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"no {path.name} in {path.parent}") from None
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read {path}: {error}") from error


def parse_tensors(content: bytes, where: str) -> dict[str, Array]:
    """The tensors in the bytes of a safetensors file; `where` names it in errors.

    Raises:
        UserError: it is damaged, or holds a type that NumPy has not (bfloat16).
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(content)
    except SafetensorError as error:
        raise UserError(f"cannot read {where}: {error}") from error
    except (KeyError, TypeError) as error:
        raise UserError(f"cannot read {where}: NumPy has no numbers of its type {error}") from error


def write_arrays(path: Path, **arrays: Array) -> None:
    """A compressed NumPy archive, whole or not at all.

    Raises:
        ValueError: an array of Python objects, which NumPy would pickle.
    """
    atomic.write_with(path, lambda temporary: np.savez_compressed(temporary, allow_pickle=False, **arrays))


def read_arrays(path: Path, names: tuple[str, ...]) -> tuple[Array, ...]:
    """These arrays of a NumPy archive.

    Raises:
        UserError: there is none, it is damaged, or it holds Python objects.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return tuple(archive[name] for name in names)
    except FileNotFoundError:
        raise UserError(f"no {path.name} in {path.parent}; the run has not finished") from None
    except Exception as error:  # NumPy, zipfile and zlib raise whatever their parts do on a damaged file
        raise UserError(f"cannot read {path}: {str(error) or type(error).__name__}") from error
