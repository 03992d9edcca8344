import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from nablab.runs import environment


def test_the_machine_is_described() -> None:
    here = environment.describe_environment(threads=2, jobs=3, device="cpu")
    assert (here.threads, here.jobs, here.device) == (2, 3, "cpu")
    assert here.python == platform.python_version()
    assert here.packages["torch"] == version("torch")
    assert here.packages["scikit-learn"] == version("scikit-learn")
    assert here.cpu
    assert 1 <= here.cores <= (os.cpu_count() or 1)
    assert 0 < here.memory_gib <= psutil.virtual_memory().total / 2**30 + 0.1


@pytest.mark.skipif(sys.platform != "linux", reason="cgroups are Linux's")
@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 4), ("150000 100000", 2), ("50000 100000", 1), ("900000 100000", 4), ("", 4)],
)
def test_a_containers_quota_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    monkeypatch.setattr(environment, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3})
    (tmp_path / "cpu.max").write_text(quota)
    assert environment.usable_cores() == cores


def test_a_containers_memory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_CGROUP", tmp_path)
    whole = environment.memory_bytes()
    (tmp_path / "memory.max").write_text("max\n")
    assert environment.memory_bytes() == whole
    (tmp_path / "memory.max").write_text("1048576\n")
    assert environment.memory_bytes() == 2**20
