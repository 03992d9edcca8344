"""Where a run is computed: machine, versions, threads. What a reader needs to judge its times."""

from __future__ import annotations

import platform
from importlib import metadata

from nablab.machine import cpu_model, memory_bytes, usable_cores
from nablab.runs.record import Environment

#: Packages whose version can change a number.
PACKAGES = ("numpy", "torch", "scikit-learn", "skops", "safetensors", "Pillow")


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


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
