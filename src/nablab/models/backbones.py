"""Backbones: networks that others trained on millions of pictures, as functions from images to features.

`features:torchvision/resnet18`, `features:timm/mobilenetv3_small_100` and `features:hf/facebook/dinov2-small`
load one from a library of the `pretrained` extra, which is imported only then; `features:./backbone.pt2` is a
file that `torch.export.save` wrote, `features:net.py:Net` or `features:net.py:Net@net.safetensors` a class of
one's own. A `.pt2` file can hold code that runs when it is loaded, as a `.py` file does: load your own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nablab.errors import UserError
from nablab.models.backbone_names import IN_FILE, LIBRARIES, require
from nablab.models.user_code import blaming, load_file

Numbers = tuple[float, ...]
Stamps = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Backbone:
    """A network without its head.

    Attributes:
        module: float32 (N, channels, H, W) to features (N, D), in evaluation mode.
        size: pixels of a side that images are brought to; None leaves them as they are.
        channels: 3, or 1 for grey.
        mean: what is taken off values in [0, 1], by channel.
        std: what the rest is divided by, by channel.
        sha256: of its weights.
        code: what else decides its features: of a class in a file, its name and the SHA-256 of that file.
        stamps: of the files that it was loaded from: when they were written, and their size.
    """

    module: Any
    size: int | None
    channels: int
    mean: Numbers
    std: Numbers
    sha256: str
    code: str = ""
    stamps: Stamps = ()

    @property
    def key(self) -> str:
        """A hash of all that decides the features of an image: equal weights may be used otherwise."""
        parts = (self.sha256, self.code, self.size, self.channels, self.mean, self.std)
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def current_backbone(reference: str) -> Backbone:
    """As `load_backbone`, but loaded again where its files have changed since.

    Raises:
        UserError: as `load_backbone`.
    """
    if load_backbone(reference).stamps != _stamps(reference):
        load_backbone.cache_clear()
    return load_backbone(reference)


@cache
def load_backbone(reference: str) -> Backbone:
    """The backbone that a reference names, once a process.

    Args:
        reference: what stands after `features:`.

    Raises:
        UserError: a library that is not installed, a name that it does not know, a file that is not there.
    """
    library, _, name = reference.partition("/")
    if library in LIBRARIES:
        require(library)
        with blaming(f"features:{reference}", f"loading it from {LIBRARIES[library]}"):
            return _FROM_LIBRARY[library](name)
    if reference.endswith(".pt2"):
        return _exported(Path(reference))
    return _own(reference)


def _torchvision(name: str) -> Backbone:
    models = import_module("torchvision.models")
    weights = models.get_model_weights(name).DEFAULT
    module = models.get_model(name, weights=weights)
    prepared = weights.transforms()
    _behead(module, name)
    return _backbone(module, _side(prepared.crop_size), prepared.mean, prepared.std)


def _timm(name: str) -> Backbone:
    timm = import_module("timm")
    module = timm.create_model(name, pretrained=True, num_classes=0)
    wanted = timm.data.resolve_model_data_config(module)
    return _backbone(module, _side(wanted["input_size"][1:]), wanted["mean"], wanted["std"])


def _hugging_face(name: str) -> Backbone:
    transformers = import_module("transformers")
    # Only weights that cannot hold code, and no code of the repository's.
    module = transformers.AutoModel.from_pretrained(name, use_safetensors=True, trust_remote_code=False)
    wanted = transformers.AutoImageProcessor.from_pretrained(name, trust_remote_code=False)
    sides = getattr(wanted, "crop_size", None) or wanted.size
    side = sides.get("height") or sides.get("shortest_edge")
    return _backbone(_Pooled(module), side, wanted.image_mean, wanted.image_std)


_FROM_LIBRARY: dict[str, Callable[[str], Backbone]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "hf": _hugging_face,
}


class _Pooled(nn.Module):
    """The one vector that a model of transformers makes of an image: pooled, or its class token."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        out = self.module(pixel_values=x)
        pooled = getattr(out, "pooler_output", None)
        features: Tensor = out.last_hidden_state[:, 0] if pooled is None else pooled
        return features.flatten(1)


def _behead(module: nn.Module, name: str) -> None:
    """Take the last linear layer off, so that the module returns what that one is fed."""
    linear = [path for path, part in module.named_modules() if isinstance(part, nn.Linear)]
    if not linear:
        raise UserError(f"features:torchvision/{name} has no linear layer at its end; choose another")
    around, _, last = linear[-1].rpartition(".")
    setattr(module.get_submodule(around), last, nn.Identity())


def _exported(path: Path) -> Backbone:
    """A program of `torch.export`; its own input says size and channels, it scales [0, 1] itself."""
    if not path.is_file():
        raise UserError(f"no backbone {path}")
    stamps = _stamps(str(path))
    with blaming(str(path), "loading it"):
        program = torch.export.load(path)
        (name,) = program.graph_signature.user_inputs
        node = next(node for node in program.graph.nodes if node.name == name)
        _, channels, height, width = node.meta["val"].shape
    if height != width:
        raise UserError(f"{path} takes images of {height} x {width}; a backbone takes squares")
    module = program.module()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    zeros, ones = (0.0,) * int(channels), (1.0,) * int(channels)
    size = int(height) if isinstance(height, int) else None
    return Backbone(module, size, int(channels), zeros, ones, digest, stamps=stamps)


def _own(reference: str) -> Backbone:
    """A class in a user's file, built without arguments; `size`, `mean` and `std` are attributes of it."""
    found = IN_FILE.fullmatch(reference)
    if found is None:
        raise UserError(
            f"no backbone {reference!r}; write {', '.join(f'{name}/NAME' for name in LIBRARIES)}, "
            "a .pt2 file, or net.py:Net@net.safetensors"
        )
    stamps = _stamps(reference)
    make = getattr(load_file(found["path"]), found["name"], None)
    if make is None:
        raise UserError(f"{found['path']} has no {found['name']}")
    with blaming(found["name"], "building it"):
        module = make()
    if not isinstance(module, nn.Module):
        raise UserError(f"{reference}: {found['name']} makes no torch.nn.Module")
    if found["weights"]:
        _fill(module, Path(found["weights"]))
    mean, std = (getattr(module, name, None) for name in ("mean", "std"))
    channels = int(getattr(module, "channels", len(mean) if mean is not None else 3))
    made = _backbone(
        module, getattr(module, "size", None), mean or (0.0,) * channels, std or (1.0,) * channels, channels
    )
    digest = hashlib.sha256(Path(found["path"]).expanduser().read_bytes()).hexdigest()
    return replace(made, code=f"{found['name']} {digest}", stamps=stamps)


def _stamps(reference: str) -> Stamps:
    """When each file of a reference was written, and its size; 0 where there is none. A library has none."""
    if reference.partition("/")[0] in LIBRARIES:
        return ()
    found = IN_FILE.fullmatch(reference)
    files = [found["path"], found["weights"] or ""] if found else [reference]
    states = [path.stat() if path.is_file() else None for path in map(Path, files)]
    return tuple((state.st_mtime_ns, state.st_size) if state else (0, 0) for state in states)


def _fill(module: nn.Module, path: Path) -> None:
    """Let a module have the weights of a file: all of them, and no others."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file as read

    try:
        module.load_state_dict(read(path))
    except FileNotFoundError:
        raise UserError(f"no weights {path}") from None
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} does not fit {type(module).__name__}: {reason[:300]}") from None


def _backbone(module: nn.Module, size: Any, mean: Any, std: Any, channels: int = 3) -> Backbone:
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return Backbone(
        module=module,
        size=None if size is None else int(size),
        channels=channels,
        mean=tuple(float(value) for value in mean),
        std=tuple(float(value) for value in std),
        sha256=_fingerprint(module),
    )


def _side(sides: Any) -> int:
    return int(sides[0] if isinstance(sides, tuple | list) else sides)


def _fingerprint(module: nn.Module) -> str:
    """SHA-256 of all parameters and buffers with their names, wherever they were loaded from."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        if isinstance(value, Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
