"""What the engine raises when it is asked for something that has no gradient, or no meaning."""

from __future__ import annotations

from nablab.errors import UserError


class AutogradError(UserError, RuntimeError):
    """A tensor was used in a way that the engine cannot follow. A RuntimeError too, as in PyTorch."""
