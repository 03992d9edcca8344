"""The gradient court: is this gradient right, and if not, what was done wrong?

NumPy only. `gradcheck` takes a loss and a claimed gradient as functions; `handout` brings functions of the
two-layer hand-outs into that form. `nablab.gradcheck` also takes modules of PyTorch, names and files.
"""

from nablab.court.report import Cause, CourtReport, Finding
from nablab.court.trial import gradcheck

__all__ = ["Cause", "CourtReport", "Finding", "gradcheck"]
