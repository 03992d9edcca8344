"""The folder where downloads and decoded copies are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$NABLAB_CACHE` where that is set, else `nablab` in the platform's folder for caches.

    The folder need not exist yet.
    """
    chosen = os.environ.get("NABLAB_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("nablab"))
