import os
import platform
from importlib.metadata import version

import psutil

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
