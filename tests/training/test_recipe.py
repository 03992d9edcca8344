from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nablab.errors import UserError
from nablab.training.recipe import PRESETS, Recipe, preset, read_recipe, to_toml


@pytest.mark.parametrize("name", PRESETS)
def test_a_recipe_goes_through_toml(tmp_path: Path, name: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(to_toml(preset(name)), encoding="utf-8")
    assert read_recipe(path) == preset(name)


def test_what_a_file_leaves_out_is_at_its_default(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("lr = 1\n", encoding="utf-8")
    assert read_recipe(path) == Recipe(lr=1)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lr", 0, "lr must be a positive number, not 0"),
        ("lr", float("nan"), "lr must be a finite number, not nan"),
        ("lr", "fast", "lr must be a number, not 'fast'"),
        ("epochs", 0, "epochs must be a whole number from 1, not 0"),
        ("epochs", 1.5, "epochs must be a whole number, not 1.5"),
        ("epochs", True, "epochs must be a whole number, not True"),
        ("nesterov", 1, "nesterov must be true or false, not 1"),
        ("optimizer", "lion", "optimizer 'lion' is not one of sgd, adam, adamw, rmsprop"),
        ("device", "tpu", "device 'tpu' is not one of auto, cpu, cuda, mps"),
        ("momentum", 1.0, "momentum must be from 0 to below 1, not 1.0"),
        ("weight_decay", -1e-4, "weight_decay must be 0 or more, not -0.0001"),
        ("warmup", 0.0, "warmup must be between 0 and 1, not 0.0"),
        ("validation", 0.15, "validation 0.15 must be 0 or one k-th"),
        ("validation", 1.0, "validation 1.0 must be 0 or one k-th"),
        ("nesterov", True, "nesterov needs optimizer sgd"),
        ("learning_rate", 1.0, "a recipe has no 'learning_rate'"),
        ("batchsize", 1, "a recipe has no 'batchsize'; did you mean batch_size?"),
    ],
)
def test_what_cannot_be_trained_by_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        Recipe().but(**{name: value})
    assert str(caught.value).startswith(message)


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    seed, lr, rate = np.arange(4)[3], np.logspace(-3, -1, 3)[1], np.float32(0.5)
    recipe = Recipe(seed=seed, lr=lr, label_smoothing=rate)
    assert recipe == Recipe(seed=3, lr=lr, label_smoothing=0.5)
    assert {type(value) for value in recipe.to_dict().values()} == {int, float, str, bool}
    (tmp_path / "recipe.toml").write_text(to_toml(recipe), encoding="utf-8")
    assert read_recipe(tmp_path / "recipe.toml") == recipe
    with pytest.raises(UserError, match=r"epochs must be a whole number, not 1\.5"):
        Recipe(epochs=np.float64(1.5))  # type: ignore[arg-type]


@pytest.mark.parametrize("needs", [{"early_stopping": 3}, {"schedule": "plateau"}])
def test_choosing_needs_validation_images(needs: dict[str, Any]) -> None:
    assert Recipe().but(**needs).chooses
    with pytest.raises(UserError, match="validation is 0"):
        preset("handout").but(**needs)


def test_presets_are_suggested() -> None:
    assert not preset("handout").chooses
    with pytest.raises(UserError, match="did you mean handout"):
        preset("hand-out")


def test_what_is_no_table_is_no_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("recipe = 3", encoding="utf-8")
    with pytest.raises(UserError, match=r"recipe\.toml: recipe must be a table, \[recipe\], not 3"):
        read_recipe(path)
    path.write_text("self = 3", encoding="utf-8")
    with pytest.raises(UserError, match="a recipe has no 'self'"):
        read_recipe(path)


@pytest.mark.parametrize("text", ["lr = ", "\udcff"])
def test_a_file_that_is_no_recipe_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=r"recipe\.toml: "):
        read_recipe(path)
    with pytest.raises(UserError, match=r"none\.toml: "):
        read_recipe(tmp_path / "none.toml")
