"""Where a run is computed: machine, versions, threads. What a reader needs to judge its times."""

from __future__ import annotations

import math
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from nablab.runs.record import Environment

#: Packages whose version can change a number.
PACKAGES = ("numpy", "torch", "scikit-learn", "skops", "safetensors", "Pillow")

_CGROUP = Path("/sys/fs/cgroup")


def describe_environment(threads: int, jobs: int, device: str) -> Environment:
    """This machine, and how a run uses it.

    Args:
        threads: that a run computes with.
        jobs: runs that compute at the same time.
        device: `cpu`, or the accelerator and its name.
    """
    return Environment(
        nablab=_version("nablab"),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        cpu=cpu_model(),
        cores=usable_cores(),
        memory_gib=round(memory_bytes() / 2**30, 1),
        device=device,
        threads=threads,
        jobs=jobs,
        packages={name: version for name in PACKAGES if (version := _version(name))},
    )


def usable_cores() -> int:
    """Cores that this process may use: those it is bound to, and no more than its container's quota."""
    bound = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(bound, _cgroup_cores()))


def memory_bytes() -> int:
    """Memory that this process may fill: the machine's, or its container's limit if lower."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read(_CGROUP / "memory.max").strip()
    return min(machine, int(limit)) if limit.isdigit() else machine


def cpu_model() -> str:
    """The processor's name as its maker gives it, or its architecture where the system doesn't say."""
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return " ".join(value.split())
    return platform.processor() or platform.machine()


def _cgroup_cores() -> int:
    """The container's quota in whole cores, `cpu.max` of cgroup v2: `quota period` in microseconds."""
    quota, _, period = _read(_CGROUP / "cpu.max").strip().partition(" ")
    if quota.isdigit() and period.isdigit():
        return max(1, math.ceil(int(quota) / int(period)))
    return sys.maxsize


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
