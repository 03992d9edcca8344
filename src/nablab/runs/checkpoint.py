"""Where an unfinished run stands, as one file: so it is always whole, and of one moment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nablab.errors import CannotWrite, UserError
from nablab.runs.arrays import read_tensors, write_tensors
from nablab.training.state import LoopState
from nablab.training.trainable import Arrays

CHECKPOINT = "checkpoint.safetensors"
_NET, _LOOP = "net/", "loop/"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """All that continues a run bit for bit.

    Attributes:
        net: `Trainable.state()`: weights, buffers, optimiser.
        loop: where the loop stands.
    """

    net: Arrays
    loop: LoopState


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of the run in `folder`.

    Arrays lie beside their JSON inside one safetensors file (in its metadata), so that one rename
    puts both in place.

    Raises:
        CannotWrite: the earlier checkpoint is intact.
    """
    values, arrays = checkpoint.loop.pack()
    tensors = {_NET + name: value for name, value in checkpoint.net.items()}
    tensors |= {_LOOP + name: value for name, value in arrays.items()}
    write_tensors(folder / CHECKPOINT, tensors, {"loop": json.dumps(values)})


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint of the run in `folder`, None where there is none.

    Raises:
        UserError: it is damaged.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    tensors, metadata = read_tensors(path)
    try:
        return Checkpoint(
            net=_under(_NET, tensors),
            loop=LoopState.unpack(json.loads(metadata["loop"]), _under(_LOOP, tensors)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"cannot read {path}: {error!r}; delete it to start that run from its beginning"
        ) from error


def remove_checkpoint(folder: Path) -> None:
    """Remove it, if there is one: the run has ended."""
    try:
        (folder / CHECKPOINT).unlink(missing_ok=True)
    except OSError as error:
        raise CannotWrite(f"cannot remove {folder / CHECKPOINT}: {error.strerror or error}") from error


def _under(prefix: str, tensors: Arrays) -> Arrays:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
