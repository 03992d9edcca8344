"""Linear probes on frozen backbones: local files, and stand-ins for the libraries, which are not here."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from nablab.errors import UserError
from nablab.models import backbone_names
from nablab.models.backbone_features import BackboneFeatures, prepared
from nablab.models.backbone_names import code_of
from nablab.models.backbones import Backbone, current_backbone, load_backbone
from nablab.models.estimator_cost import estimator_cost
from nablab.models.named_code import name_code
from nablab.models.reference import resolve

FILE = """
import torch
from torch import nn

class Net(nn.Module):
    size = 8
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.2, 0.1)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        self.calls = []

    def forward(self, x):
        self.calls.append(len(x))
        return self.body(x)

def not_a_module():
    return 3
"""
IMAGES, SHAPE = 300, (1, 6, 6)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Each test loads its backbones anew."""
    load_backbone.cache_clear()
    yield
    load_backbone.cache_clear()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(FILE)
    return path


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).random((IMAGES, 36)).astype(np.float32)


def features(reference: str, folder: Path) -> BackboneFeatures:
    name_code(f"features:{reference}", code_of(reference))  # as whoever writes it on a command line does
    return BackboneFeatures(reference, image_shape=SHAPE, folder=str(folder))


def test_features_are_those_of_the_module_on_prepared_images(
    file: Path, tmp_path: Path, x: np.ndarray
) -> None:
    found = features(f"{file}:Net", tmp_path / "cache").fit(x).transform(x)
    module = load_backbone(f"{file}:Net").module
    grey = [Image.fromarray(image).resize((8, 8), Image.Resampling.BILINEAR) for image in x.reshape(-1, 6, 6)]
    colours = np.stack([np.stack([image] * 3) for image in map(np.asarray, grey)])
    mean, std = (np.array(v, np.float32).reshape(3, 1, 1) for v in ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1)))
    with torch.no_grad():
        expected = module.body(torch.from_numpy((colours - mean) / std)).numpy()
    assert found.shape == (IMAGES, 4 * 3 * 3)
    assert_allclose(found, expected, atol=1e-5)


def test_large_images_shrink_as_pillow_shrinks_them() -> None:
    image = np.random.default_rng(1).random((40, 30)).astype(np.float32)
    backbone = Backbone(None, 12, 1, (0.0,), (1.0,), "")
    ours = prepared(torch.from_numpy(image)[None, None], backbone).numpy()[0, 0]
    theirs = np.asarray(Image.fromarray(image).resize((12, 12), Image.Resampling.BILINEAR))
    assert_allclose(ours, theirs, atol=1e-5)


def test_each_image_is_computed_once_but_for_timing(file: Path, tmp_path: Path, x: np.ndarray) -> None:
    reference = f"{file}:Net"
    calls = load_backbone(reference).module.calls
    probe = features(reference, tmp_path / "cache").fit(x)
    first = probe.transform(x)
    assert sum(calls) == IMAGES
    again = features(reference, tmp_path / "cache").fit(x).transform(x[::-1])
    assert sum(calls) == IMAGES
    assert_array_equal(again, first[::-1])
    more = np.concatenate([x, x[:3] / 2, x[:3] / 2])
    assert_array_equal(probe.transform(more)[-3:], probe.transform(more)[-6:-3])
    assert sum(calls) == IMAGES + 3
    probe.transform(x[:256])
    assert sum(calls) == IMAGES + 3 + 256


def test_a_damaged_cache_is_computed_anew(file: Path, tmp_path: Path, x: np.ndarray) -> None:
    probe = features(f"{file}:Net", tmp_path / "cache").fit(x)
    first = probe.transform(x)
    (kept,) = (tmp_path / "cache").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    assert_array_equal(probe.transform(x), first)
    assert kept.stat().st_size > 1000


def test_other_weights_are_noticed_and_have_their_own_cache(
    file: Path, tmp_path: Path, x: np.ndarray
) -> None:
    reference = f"{file}:Net@{tmp_path / 'w.safetensors'}"
    module = load_backbone(f"{file}:Net").module
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    probe = features(reference, tmp_path / "cache").fit(x)
    first = probe.transform(x)
    assert load_backbone(reference).sha256 == load_backbone(f"{file}:Net").sha256
    with torch.no_grad():
        module.body[0].weight += 1
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    load_backbone.cache_clear()
    with pytest.raises(UserError, match="are others than when this was fitted"):
        probe.transform(x)
    assert np.abs(features(reference, tmp_path / "cache").fit(x).transform(x) - first).max() > 0.1


METHODS = """
from torch import nn

class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))

class Largest(nn.Module):
    channels = 1

    def forward(self, x):
        return x.amax((2, 3))
"""


def test_equal_weights_used_otherwise_have_a_cache_of_their_own(tmp_path: Path, x: np.ndarray) -> None:
    """Neither class has weights at all; then the file is edited, and a scale is added."""
    path, cache = tmp_path / "methods.py", tmp_path / "cache"
    path.write_text(METHODS)
    mean = features(f"{path}:Mean", cache).fit(x).transform(x)
    assert_allclose(mean, np.repeat(x.mean(1, keepdims=True), 3, axis=1), atol=1e-5)
    largest = features(f"{path}:Largest", cache).fit(x)
    assert_allclose(largest.transform(x), x.max(1, keepdims=True))
    path.write_text(METHODS.replace("x.amax", "-x.amin"))
    with pytest.raises(UserError, match=r"Largest computes features otherwise than when this was fitted"):
        largest.transform(x)
    assert_allclose(features(f"{path}:Largest", cache).fit(x).transform(x), -x.min(1, keepdims=True))
    path.write_text(METHODS.replace("channels = 1", "channels, mean, std = 1, (1.0,), (2.0,)"))
    scaled = features(f"{path}:Largest", cache).fit(x).transform(x)
    assert_allclose(scaled, (x.max(1, keepdims=True) - 1) / 2, atol=1e-6)


def test_a_library_is_asked_once(tmp_path: Path, x: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in timm().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(backbone_names, "find_spec", lambda package: object())
    assert current_backbone("timm/resnet18") is current_backbone("timm/resnet18")


def test_weights_of_another_network_are_refused(file: Path, tmp_path: Path) -> None:
    save_file({"body.0.weight": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"w\.safetensors does not fit Net: .*body\.0\.bias"):
        load_backbone(f"{file}:Net@{tmp_path / 'w.safetensors'}")
    with pytest.raises(UserError, match=r"no weights .*none\.safetensors"):
        load_backbone(f"{file}:Net@none.safetensors")


def test_an_exported_program_says_its_own_size(tmp_path: Path, x: np.ndarray) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()).eval()
    batch = torch.export.Dim("batch")
    program = torch.export.export(module, (torch.zeros(2, 3, 10, 10),), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "net.pt2")
    backbone = load_backbone(str(tmp_path / "net.pt2"))
    assert (backbone.size, backbone.channels, backbone.mean, len(backbone.sha256)) == (10, 3, (0,) * 3, 64)
    found = features(str(tmp_path / "net.pt2"), tmp_path / "cache").fit(x).transform(x)
    with torch.no_grad():
        expected = module(prepared(torch.from_numpy(x.reshape(-1, *SHAPE)), backbone)).numpy()
    assert_allclose(found, expected, atol=1e-5)


def test_the_backbone_is_part_of_the_cost(file: Path, tmp_path: Path, x: np.ndarray) -> None:
    model = resolve(f"features:{file}:Net")
    assert model.estimator is not None
    pipeline = model.estimator(0).set_params(
        features__image_shape=SHAPE, features__folder=str(tmp_path / "cache")
    )
    pipeline.fit(x, np.arange(IMAGES) % 3)
    cost = estimator_cost(pipeline)
    assert cost is not None
    backbone = 9 * 4 * 3 * 9  # places of the output x filters x channels x kernel
    assert cost.macs >= backbone + 3 * 36
    assert str(f"{backbone:,}") in cost.counted
    assert cost.parameters >= 4 * 3 * 9 + 4 + 8 + 3 * 37


class _Net(nn.Module):
    """What libraries give: a body and a head of 1,000 classes."""

    def __init__(self, head: bool = True) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(5, 1000) if head else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.body(x))


MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def torchvision() -> dict[str, Any]:
    preset = SimpleNamespace(crop_size=[24], resize_size=[28], mean=MEAN, std=STD)
    weights = SimpleNamespace(transforms=lambda: preset)

    def get_model(name: str, weights: Any) -> nn.Module:
        assert (name, weights) == ("resnet18", known.DEFAULT)
        return _Net()

    known = SimpleNamespace(DEFAULT=weights)
    models = ModuleType("torchvision.models")
    vars(models).update(get_model=get_model, get_model_weights=lambda name: known)
    return {"torchvision": ModuleType("torchvision"), "torchvision.models": models}


def timm() -> dict[str, Any]:
    def create_model(name: str, *, pretrained: bool, num_classes: int) -> nn.Module:
        assert (name, pretrained, num_classes) == ("resnet18", True, 0)
        return _Net(head=False)

    module = ModuleType("timm")
    config = {"input_size": (3, 24, 24), "mean": tuple(MEAN), "std": tuple(STD)}
    data = SimpleNamespace(resolve_model_data_config=lambda model: config)
    vars(module).update(create_model=create_model, data=data)
    return {"timm": module}


def hf() -> dict[str, Any]:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = _Net(head=False)

        def forward(self, pixel_values: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(last_hidden_state=self.net(pixel_values)[:, None], pooler_output=None)

    def load(name: str, **options: Any) -> nn.Module:
        assert name == "resnet18"
        assert options == {"use_safetensors": True, "trust_remote_code": False}
        return Model()

    processor = SimpleNamespace(
        size={"shortest_edge": 28}, crop_size={"height": 24, "width": 24}, image_mean=MEAN, image_std=STD
    )
    module = ModuleType("transformers")
    vars(module).update(
        AutoModel=SimpleNamespace(from_pretrained=load),
        AutoImageProcessor=SimpleNamespace(from_pretrained=lambda name, trust_remote_code: processor),
    )
    return {"transformers": module}


STAND_INS = {"torchvision": torchvision, "timm": timm, "hf": hf}


@pytest.mark.parametrize("library", backbone_names.LIBRARIES)
def test_each_library_is_asked_as_it_wants(
    library: str, tmp_path: Path, x: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, module in STAND_INS[library]().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(backbone_names, "find_spec", lambda package: object())
    torch.manual_seed(0)
    backbone = load_backbone(f"{library}/resnet18")
    assert (backbone.size, backbone.channels) == (24, 3)
    assert (backbone.mean, backbone.std) == (tuple(MEAN), tuple(STD))
    assert not any(parameter.requires_grad for parameter in backbone.module.parameters())
    assert not backbone.module.training
    found = features(f"{library}/resnet18", tmp_path / "cache").fit(x).transform(x)
    assert found.shape == (IMAGES, 5)
    model = resolve(f"features:{library}/resnet18")
    assert (model.label, model.fed, model.seeded) == ("resnet18-probe", "unit", False)


def test_a_library_that_fails_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in timm().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(backbone_names, "find_spec", lambda package: object())
    message = r"AssertionError: .*\(when loading it from timm\)"
    with pytest.raises(UserError, match=message):
        load_backbone("timm/no_such_model")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("features:torchvision", r"which of torchvision's\? As in features:torchvision/resnet18"),
        ("features:timm/", r"which of timm's\? As in features:timm/mobilenetv3_small_100"),
        ("features:resnet18", "no such backbone; write features:torchvision/resnet18"),
        ("features:none.pt2", r"no file none\.pt2"),
        ("features:none.py:Net@w.safetensors", r"no file none\.py"),
    ],
)
def test_names_that_are_none(reference: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve(reference)


@pytest.mark.parametrize("library", backbone_names.LIBRARIES)
def test_a_missing_library_says_what_to_install(library: str) -> None:
    if importlib.util.find_spec(backbone_names.LIBRARIES[library]) is not None:
        resolve(f"features:{library}/resnet18")
        return
    message = rf"needs {backbone_names.LIBRARIES[library]}, .* pip install 'nablab\[pretrained\]' torch==\d"
    with pytest.raises(UserError, match=message):
        resolve(f"features:{library}/resnet18")


def test_what_is_no_backbone(file: Path, tmp_path: Path, x: np.ndarray) -> None:
    with pytest.raises(UserError, match="no Nothing"):
        load_backbone(f"{file}:Nothing")
    with pytest.raises(UserError, match=r"makes no torch\.nn\.Module"):
        load_backbone(f"{file}:not_a_module")
    with pytest.raises(ValueError, match="takes images, not features"):
        BackboneFeatures(f"{file}:Net", image_shape=(36,)).fit(x)
    with pytest.raises(UserError, match="3 channels, not 2"):
        prepared(torch.zeros(1, 2, 8, 8), load_backbone(f"{file}:Net"))
