"""What programs ask about graphics cards before they choose a device: there are none for this engine."""

from __future__ import annotations


def is_available() -> bool:
    return False


def device_count() -> int:
    return 0


def manual_seed(seed: int) -> None:
    """Nothing: as PyTorch does where there is no card."""


manual_seed_all = manual_seed
