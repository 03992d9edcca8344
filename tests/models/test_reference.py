"""What may be named as a model, what comes of it, and what an unknown or broken one is told."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from torch import Tensor, nn

from nablab.errors import UserError
from nablab.models.catalog import CATALOG
from nablab.models.estimators import ESTIMATORS
from nablab.models.labels import label_of_spec
from nablab.models.language import parse
from nablab.models.reference import resolve, resolve_all

FILE = """
import torch
from torch import nn
import blocks

RUNS = []
RUNS.append(1)

class MyNet(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.linear = nn.Linear(784, classes)

    def forward(self, x):
        return self.linear(x.flatten(1))

class Shaped(MyNet):
    def __init__(self, input_shape, num_classes):
        assert input_shape == (1, 28, 28)
        super().__init__(num_classes)

class Fails(MyNet):
    def forward(self, x):
        return super().forward(x) @ x

class Broken(nn.Module):
    def __init__(self):
        raise ValueError("first line\\nsecond line")

class Wide(nn.Module):
    def __init__(self, width):
        super().__init__()

def make():
    return MyNet(3)

net = MyNet()
number = 3
"""


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(784, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_net.py").write_text(FILE)
    (tmp_path / "blocks.py").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", CATALOG)
def test_catalog_names(name: str) -> None:
    for written in (name, name.upper(), name.replace("_", "-"), name.replace("_", " ").title()):
        model = resolve(written)
        assert (model.label, model.reference, model.kind) == (name, name, "network")
        assert model.spec == CATALOG[name].spec


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("ResNet-18", "resnet18"),
        ("LeNet_5", "lenet5"),
        ("WRN40-4", "wrn_40_4"),
        ("MobileNetV2", "mobilenet_v2"),
    ],
)
def test_names_as_papers_spell_them(written: str, name: str) -> None:
    assert resolve(written).reference == name
    assert resolve(f"numpy:{written}").reference == f"numpy:{name}"


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator_names(name: str) -> None:
    model = resolve(name)
    assert (model.label, model.reference, model.kind) == (name, name, "estimator")
    assert model.detail == ESTIMATORS[name].detail
    assert model.estimator is not None


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("100-ReLU-K", "100-relu-k"),
        ("32C3-BatchNorm-ReLU-MaxPool2-64C3-ReLU-GlobalAvgPool-K", "32c3-64c3-k"),
        ("Res(8C3-LeakyReLU0.2)-K", "8c3-k"),
        ("9x(64C3s2-ReLU)-Dropout0.5-K", "64c3s2-64c3s2-7more-k"),
        ("GlobalAvgPool-BatchNorm-LayerNorm-LayerNorm", "globalavgpool"),
    ],
)
def test_layer_strings(text: str, label: str) -> None:
    model = resolve(text)
    assert model.spec == parse(text)
    assert model.label == label == label_of_spec(parse(text))
    assert resolve(model.reference).spec == model.spec
    assert resolve(parse(text)) == model
    assert re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", label)


def test_labels_differ() -> None:
    models = resolve_all(["lenet", "lenet", "lenet-2C1-K".replace("lenet-", ""), "LENET", Net, Net, Net()])
    assert [m.label for m in models] == ["lenet", "lenet-2", "2c1-k", "lenet-3", "net", "net-2", "net-3"]
    assert len({m.reference for m in models if m.live}) == 3
    assert resolve("lenet", labels_taken=["lenet"]).label == "lenet-2"
    assert resolve(models[0]) == models[0]


def test_a_class_in_a_file(folder: Path) -> None:
    model = resolve("my_net.py:MyNet")
    assert (model.label, model.reference, model.kind, model.live) == (
        "mynet",
        "my_net.py:MyNet",
        "module",
        False,
    )
    assert model.detail == "MyNet in my_net.py"
    assert model.source_file is not None
    assert model.source_file.sha256 == hashlib.sha256((folder / "my_net.py").read_bytes()).hexdigest()
    assert model.source_file.commit == ""
    assert model.factory is not None
    module = model.factory((1, 28, 28), 7)
    assert module(torch.zeros(3, 1, 28, 28)).shape == (3, 7)
    shaped = resolve(Path("my_net.py:Shaped")).factory
    assert shaped is not None
    assert shaped((1, 28, 28), 4).linear.out_features == 4


def test_a_file_is_run_once_until_it_changes(folder: Path) -> None:
    first, second = (resolve(f"my_net.py:{name}").factory for name in ("MyNet", "Shaped"))
    assert first is not None
    assert second is not None
    assert isinstance(second((1, 28, 28), 10), type(first((1, 28, 28), 10)))
    (folder / "my_net.py").write_text(FILE + "\n# changed\n")
    third = resolve("my_net.py:MyNet").factory
    assert third is not None
    assert type(third((1, 28, 28), 10)) is not type(first((1, 28, 28), 10))


def test_files_find_what_lies_beside_them_as_it_is_and_not_beside_others(folder: Path) -> None:
    """Deliveries that each have modules of their own under the same names."""

    def write(name: str, width: int) -> None:
        (folder / name / "parts").mkdir(parents=True, exist_ok=True)
        (folder / name / "sizes.py").write_text(f"width = {width}")
        (folder / name / "parts" / "__init__.py").write_text("")
        (folder / name / "parts" / "body.py").write_text(
            "from sizes import width\nfrom torch import nn\n"
            "def make(): return nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.Linear(width, 10))"
        )
        (folder / name / "net.py").write_text(f"import colorsys\nfrom parts.body import make  # {width}")

    def width(name: str) -> int:
        factory = resolve(f"{name}/net.py:make").factory
        assert factory is not None
        return int(factory((1, 28, 28), 10)[1].out_features)

    for name, wide in (("ann", 3), ("bob", 5), ("cid", 7)):
        write(name, wide)
    assert [width(name) for name in ("ann", "bob", "ann", "cid")] == [3, 5, 3, 7]
    write("ann", 999)
    assert width("ann") == 999
    assert "colorsys" in sys.modules
    assert not any(str(folder) in place for place in sys.path)


def test_git_state_of_a_file(folder: Path) -> None:
    def git(*arguments: str) -> str:
        names = ("-c", "user.name=n", "-c", "user.email=e")
        return subprocess.run(
            ["git", *names, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    git("add", "my_net.py")
    git("commit", "-qm", "m")
    source = resolve("my_net.py:MyNet").source_file
    assert source is not None
    assert (source.commit, source.modified) == (git("rev-parse", "HEAD"), False)
    (folder / "my_net.py").write_text(FILE + "\n")
    source = resolve("my_net.py:MyNet").source_file
    assert source is not None
    assert source.modified


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "Fails",
            r"^my_net.py:\d+: RuntimeError: .* \(when calling it with images of shape \(1, 28, 28\)\)$",
        ),
        ("Broken", r"^my_net.py:\d+: ValueError: first line \(when building it\)$"),
        ("Wide", "Wide cannot be built: it needs width; give defaults"),
        ("make", r"make returns float32 of shape \(2, 3\) for 2 images \(1, 28, 28\); it must return logits"),
    ],
)
def test_a_users_model_that_fails_tells_its_own_error_and_line(folder: Path, name: str, message: str) -> None:
    factory = resolve(f"my_net.py:{name}").factory
    assert factory is not None
    with pytest.raises(UserError, match=message) as caught:
        factory((1, 28, 28), 10)
    line = re.match(r"my_net.py:(\d+)", str(caught.value))
    if line:
        assert {"Fails": "super().forward(x) @ x", "Broken": "raise ValueError"}[name] in FILE.split("\n")[
            int(line[1]) - 1
        ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "import os\nprint(unknown)\n",
            r"f.py:2: NameError: name 'unknown' is not defined \(when loading it\)",
        ),
        ("def f(:\n", r"f.py:1: SyntaxError: invalid syntax \(when loading it\)"),
        ("raise SystemExit(3)", r"f.py: it ends the program \(SystemExit: 3\) when loading it"),
        ("import nowhere_to_be_found", "f.py:1: ModuleNotFoundError"),
        ("Net = 3", "f.py:Net: Net is int, not a torch.nn.Module"),
        ("", "f.py has no Net; its models: none"),
    ],
)
def test_a_file_that_fails(folder: Path, content: str, message: str) -> None:
    (folder / "f.py").write_text(content)
    with pytest.raises(UserError, match=message):
        resolve("f.py:Net")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("lenett", "^no model 'lenett'; did you mean lenet"),
        ("random-forrest", "did you mean random_forest"),
        ("resnet", "no model 'resnet'"),
        ("", "an empty text is no network"),
        ("8C3-Maxpol2-K", 'layer 2, "Maxpol2"'),
        ("numpy:svc", "^numpy:svc: the NumPy engine runs networks of the layer language.* before svc$"),
        ("numpy:my_net.py:MyNet", "runs networks of the layer language"),
        ("numpy:numpy:mlp", "runs networks of the layer language"),
        ("numpy:lenett", "^no model 'lenett'; did you mean lenet"),
        ("numpy:8C3-Maxpol2-K", 'layer 2, "Maxpol2"'),
        ("nowhere.py:Net", "nowhere.py: no such file"),
        ("my_net.py", "my_net.py: say which class, as in my_net.py:MyNet"),
        ("my_net.py:Mynet", "my_net.py has no Mynet; its models: MyNet, Shaped"),
        (3, "3 is no model"),
        (None, "None is no model"),
        (StandardScaler, "has neither predict_proba nor decision_function"),
    ],
)
def test_what_is_no_model(folder: Path, reference: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        resolve(reference)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "label", "reference"),
    [
        ("numpy:lenet", "lenet-numpy", "numpy:lenet"),
        ("NumPy:LeNet5", "lenet5-numpy", "numpy:lenet5"),
        ("numpy:8c3-relu-k", "8c3-relu-k-numpy", "numpy:8C3-ReLU-K"),
    ],
)
def test_networks_for_our_own_engine(text: str, label: str, reference: str) -> None:
    model, twin = resolve(text), resolve(text.partition(":")[2])
    assert (model.label, model.reference, model.engine) == (label, reference, "numpy")
    assert model.spec == twin.spec
    assert twin.engine == "torch"
    assert model.detail == f"{twin.detail}, on NumPy"
    assert resolve(model.reference) == model


def test_live_classes_objects_and_functions() -> None:
    trained = Net()
    by_class, by_object, by_function = resolve_all([Net, trained, lambda: Net()])
    for model in (by_class, by_object, by_function):
        assert (model.kind, model.live, model.source_file) == ("module", True, None)
        assert model.factory is not None
    copied = by_object.factory((1, 28, 28), 10)  # type: ignore[misc]
    assert copied is not trained
    assert torch.equal(copied.linear.weight, trained.linear.weight)
    fresh = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        fresh.append(by_class.factory((1, 28, 28), 10).linear.weight)  # type: ignore[misc]
    assert torch.equal(fresh[0], fresh[1])
    assert not torch.equal(fresh[0], fresh[2])


def test_a_function_that_returns_one_module_again_is_refused() -> None:
    """The second seed would begin with the weights that the first one trained."""
    trained = Net()
    factory = resolve(lambda: trained).factory
    assert factory is not None
    kept = factory((1, 28, 28), 10)
    with pytest.raises(UserError, match="returns the same module again"):
        factory((1, 28, 28), 10)
    assert kept is trained


@pytest.mark.parametrize(
    ("estimator", "kind", "seeded"),
    [
        (SVC, "margins", True),
        (LinearSVC(C=3), "margins", True),
        (RidgeClassifier(), "margins", True),
        (make_pipeline(StandardScaler(), RandomForestClassifier()), "probabilities", True),
    ],
)
def test_estimators_of_the_user(estimator: Any, kind: str, seeded: bool) -> None:
    model = resolve(estimator)
    assert (model.kind, model.score_kind, model.seeded, model.live) == ("estimator", kind, seeded, True)
    assert model.estimator is not None
    made = model.estimator(5)
    assert made is not estimator
    assert 5 in [value for key, value in made.get_params().items() if key.endswith("random_state")]
