"""What is no path, no data, no number: one line that says what is needed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nablab.errors import UserError

#: What its types say is exactly what these tests do not keep to.
nablab: Any = import_module("nablab")

ARRAY = np.zeros((3, 4))


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: nablab.load(ARRAY), "given as ndarray; .*make_dataset"),
        (lambda: nablab.load((ARRAY, [0, 1, 2])), "given as tuple"),
        (lambda: nablab.load(None), "given as NoneType"),
        (lambda: nablab.plan("mlp", ARRAY), "given as ndarray"),
        (lambda: nablab.inspect("mlp", ARRAY), "given as ndarray"),
        (lambda: nablab.gradcheck("mlp", data=ARRAY), "given as ndarray"),
        (lambda: nablab.plan("mlp", "digits", test_fraction="1"), "test_fraction must be a number .*not '1'"),
        (lambda: nablab.plan("mlp", "digits", out=5), "5 is no path; give out"),
        (lambda: nablab.plan("mlp", "digits", config=5), "5 is no path; give config"),
        (lambda: nablab.results(3), "3 is no path; give the folder of results"),
        (lambda: nablab.list_runs(3), "3 is no path"),
        (lambda: nablab.show_run(3), "3 is no path"),
        (lambda: nablab.delete_run(3), "3 is no path"),
        (lambda: nablab.resume(3), "3 is no path"),
        (lambda: nablab.inspect("mlp", classes=0), "classes must be a whole number above 0, not 0"),
        (lambda: nablab.inspect("mlp", input_shape=(1, 8, 8), classes=2.5), "not 2.5"),
        (lambda: nablab.inspect("mlp", input_shape=784), "input_shape must be .*not 784"),
        (lambda: nablab.inspect("mlp", input_shape=(1, 0, 8)), "input_shape must be"),
    ],
)
def test_a_mistake_is_one_line(mistake: Callable[[], Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        mistake()
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_are_numbers() -> None:
    plan = nablab.plan("net_linear", "digits", test_fraction=np.float32(0.5), epochs=1, out="somewhere")
    assert type(plan.plan.test_fraction) is float
    shown = nablab.inspect("mlp", input_shape=tuple(np.array([1, 8, 8])), classes=np.int64(3), latency=False)
    assert (shown.input_shape, shown.classes) == ((1, 8, 8), 3)


def test_results_go_to_the_home_and_not_to_a_folder_called_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert nablab.plan("net_linear", "digits", epochs=1, out="~/results").plan.out == tmp_path / "results"
