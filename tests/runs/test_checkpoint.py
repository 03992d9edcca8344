from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from nablab.errors import UserError
from nablab.runs.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    read_checkpoint,
    remove_checkpoint,
    write_checkpoint,
)
from nablab.training.state import LoopState, Running, Watch


def test_it_comes_back_exactly_as_it_was(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    net = {
        "model/0.weight": rng.normal(size=(3, 2)).astype(np.float32),
        "optimizer/step": np.array(7.0, dtype=np.float32),
        "model/seen": np.array(2**40, dtype=np.int64),
    }
    loop = LoopState(
        epoch=3, step=5, lr=1 / 3, running=Running(0.1 + 0.2, 17, 96), watch=Watch(1e-300, 2, 1, 1),
        train_seconds=1 / 7, wall_seconds=2 / 7, best_weights={"0.weight": net["model/0.weight"] * 2},
    )  # fmt: skip
    write_checkpoint(tmp_path, Checkpoint(net, loop))
    read = read_checkpoint(tmp_path)
    assert read is not None
    assert read.loop == loop
    assert read.loop.best_weights is not None
    assert_array_equal(read.loop.best_weights["0.weight"], net["model/0.weight"] * 2)
    assert read.net.keys() == net.keys()
    for name, value in net.items():
        assert_array_equal(read.net[name], value)
        assert read.net[name].dtype == value.dtype
        assert read.net[name].shape == value.shape


def test_none_before_the_first_and_after_the_end(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None
    write_checkpoint(tmp_path, Checkpoint({}, LoopState()))
    assert read_checkpoint(tmp_path) is not None
    remove_checkpoint(tmp_path)
    assert read_checkpoint(tmp_path) is None
    remove_checkpoint(tmp_path)


def test_a_damaged_one_is_named(tmp_path: Path) -> None:
    from nablab.runs.arrays import write_tensors

    (tmp_path / CHECKPOINT).write_bytes(b"\x08\x00")
    with pytest.raises(UserError, match=r"checkpoint\.safetensors"):
        read_checkpoint(tmp_path)
    write_tensors(tmp_path / CHECKPOINT, {}, {"loop": '{"epoch": 1}'})
    with pytest.raises(UserError, match="delete it to start that run from its beginning"):
        read_checkpoint(tmp_path)
