"""References to models that start from trained weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from nablab.errors import UserError
from nablab.models.reference import resolve, resolve_all
from nablab.models.started import divide

NET = (
    "from torch import nn\n\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(4, 2)\n"
)


@pytest.mark.parametrize(
    ("text", "divided"),
    [
        ("lenet", ("lenet", "")),
        ("lenet@runs/a", ("lenet", "runs/a")),
        ("32C3-ReLU-K@a.safetensors", ("32C3-ReLU-K", "a.safetensors")),
        ("numpy:lenet@runs/a@b", ("numpy:lenet", "runs/a@b")),
        ("net.py:Net@runs/a", ("net.py:Net", "runs/a")),
        ("net.py:Net@a.safetensors", ("net.py:Net", "a.safetensors")),
        ("/me@home/net.py:Net", ("/me@home/net.py:Net", "")),
        ("/me@home/net.py:Net@runs/a", ("/me@home/net.py:Net", "runs/a")),
    ],
)
def test_a_start_stands_after_an_at_sign(text: str, divided: tuple[str, str]) -> None:
    assert divide(text) == divided


def test_labels_references_and_engines_are_kept() -> None:
    plain, tuned, ours = resolve_all(["lenet", "lenet@runs/a", "numpy:lenet@runs/a"])
    assert (plain.start, tuned.start, ours.start) == ("", "runs/a", "runs/a")
    assert (plain.label, tuned.label, ours.label) == ("lenet", "lenet-tuned", "lenet-numpy-tuned")
    assert (tuned.reference, ours.engine, ours.spec) == ("lenet@runs/a", "numpy", plain.spec)
    assert resolve(tuned.reference).start == "runs/a"


def test_a_users_file_can_start_from_weights(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(NET)
    model = resolve(f"{file}:Net@weights.safetensors")
    assert (model.label, model.start, model.kind) == ("net-tuned", "weights.safetensors", "module")
    assert model.source_file is not None
    assert model.source_file.path == str(file)


def test_a_tilde_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell leaves it as it is where it is not the first letter of a word."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "w.safetensors").touch()
    for text in ("lenet@~/run", "numpy:lenet@~/run", "~/net.py:Net@~/run"):
        assert resolve(text).start == f"{tmp_path}/run"
        assert resolve(text).reference.endswith(f"@{tmp_path}/run")
    neighbours = resolve("knn(k=1)@~/run:1")
    assert neighbours.features is not None
    assert (neighbours.features.run, neighbours.features.layer) == (f"{tmp_path}/run", "1")
    assert neighbours.reference == f"knn(k=1)@{tmp_path}/run:1"
    for text in ("features:{}/net.py:Net", "features:{0}/net.py:Net@{0}/w.safetensors"):
        assert resolve(text.format("~")).reference == text.format(tmp_path)
        assert resolve(text.format("~")).label == resolve(text.format(tmp_path)).label


def test_estimators_have_no_weights() -> None:
    from nablab.models.started import start_from

    with pytest.raises(UserError, match=r"knn has no weights to start from"):
        start_from(resolve("knn"), "runs/a")
    with pytest.raises(UserError, match=r"starts from runs/a already"):
        start_from(resolve("lenet@runs/a"), "runs/b")
