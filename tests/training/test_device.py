from __future__ import annotations

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from nablab.errors import UserError
from nablab.training import device


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
