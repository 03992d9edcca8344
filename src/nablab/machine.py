"""What of this machine a process may use: cores, memory. A container's limits count where they are lower."""

from __future__ import annotations

import math
import os
import platform
import sys
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Cores that this process may use: those it is bound to, and no more than its container's quota."""
    bound = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(bound, _cgroup_cores()))


def memory_bytes() -> int:
    """Memory that this process may fill: the machine's, or its container's limit if lower."""
    if sys.platform == "win32":  # it cannot be asked in this way
        return sys.maxsize
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


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
