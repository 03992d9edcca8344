from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

import nablab
from nablab.errors import UserError
from nablab.training import device

_CAPABILITIES = torch.cpu.get_capabilities()


def test_auto_takes_what_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"cuda": True, "mps": True}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: here["cuda"])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: here["mps"])
    assert device.choose("auto").type == "cuda"
    here["cuda"] = False
    assert device.choose("auto").type == "mps"
    here["mps"] = False
    assert device.choose("auto").type == "cpu"
    assert device.describe(device.choose("cpu")) == "cpu"
    with pytest.raises(UserError, match="device cuda is not available here"):
        device.choose("cuda")


def test_threads_are_those_of_pytorch_and_blas() -> None:
    before = torch.get_num_threads()
    pools = {pool["internal_api"]: pool["num_threads"] for pool in threadpool_info()}
    try:
        device.set_threads(1)
        np.ones((8, 8)) @ np.ones((8, 8))
        assert torch.get_num_threads() == 1
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        device.set_threads(0)
        assert torch.get_num_threads() == 1
    finally:
        device.set_threads(max(before, *pools.values()))


def test_bfloat16_is_taken_where_the_processor_multiplies_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(precision: str, device_type: str, **able: bool) -> str:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
        return device.choose_precision(precision, torch.device(device_type))  # type: ignore[arg-type]

    assert choose("auto", "cpu", avx512_bf16=True) == "bfloat16"
    assert choose("auto", "cpu", amx_bf16=True, avx512_bf16=False) == "bfloat16"
    assert choose("auto", "cpu", avx512_bf16=False, avx512_f=True) == "float32"
    assert choose("auto", "cpu") == "float32"
    assert choose("auto", "mps", avx512_bf16=True) == "float32"
    assert choose("float32", "cpu", avx512_bf16=True) == "float32"
    assert choose("bfloat16", "cpu") == "bfloat16"
    assert {"avx512_bf16", "amx_bf16"} <= set(_CAPABILITIES) or platform.machine() != "x86_64"


def test_the_plan_writes_down_the_precision_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    plans = {
        models: nablab.plan(list(models), "digits", precision="auto", device="cpu", out=tmp_path / "out").plan
        for models in (("mlp",), ("mlp", "numpy:mlp"))
    }
    assert plans["mlp",].recipe.precision == "bfloat16"
    assert plans["mlp", "numpy:mlp"].recipe.precision == "float32"
