"""The folder where downloads and decoded copies are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """`$NABLAB_CACHE` where that is set, else `nablab` in the platform's folder for caches.

    The folder need not exist yet. It is the one that `pooch.os_cache("nablab")` names; to import pooch takes
    twice as long as to load Fashion-MNIST, and every load asks for this folder.
    """
    chosen = os.environ.get("NABLAB_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local) / "nablab" / "nablab" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "nablab"
    return Path(os.environ.get("XDG_CACHE_HOME", "").strip() or Path.home() / ".cache") / "nablab"
