"""Train, compare and explain neural image classifiers, with numbers that can be trusted.

    comparison = nablab.compare(["net_linear", "lenet", MyNet], "fashion-mnist", seeds=3, epochs=5)
    comparison.report("report.html")

Names are loaded when they are first used: `import nablab` loads neither NumPy nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nablab import errors, lessons
    from nablab.api.catalog import catalog, spec
    from nablab.api.checking import GradientCheck, gradcheck
    from nablab.api.comparison import Comparison, ComparisonTable
    from nablab.api.data_checks import DataCheck, check_data
    from nablab.api.exporting import ExportedModel, export
    from nablab.api.inspection import Inspection, inspect
    from nablab.api.laddering import Ladder, ladder
    from nablab.api.leaderboard import Leaderboard, leaderboard
    from nablab.api.lessons import LessonRuns, list_lessons, open_lesson, run_lessons
    from nablab.api.planning import PlannedComparison, plan
    from nablab.api.prediction import Predictions, predict
    from nablab.api.preparing import import_data, prepare
    from nablab.api.records import delete_run, list_runs, results, show_run
    from nablab.api.reproducing import PlannedReproduction, Reproduction, plan_reproduction, reproduce
    from nablab.api.showing import ShownData, show_data
    from nablab.api.sources import fetch, load, sources
    from nablab.api.trained import TrainedRun
    from nablab.api.training import compare, resume, train
    from nablab.api.verifying import Verification, verify
    from nablab.data.dataset import Dataset, make_dataset
    from nablab.errors import NablabError, RunFailed, UserError
    from nablab.models.spec import Spec
    from nablab.training.recipe import Recipe, preset

__version__ = "0.1.0"

#: Where each public name lives.
_HOMES = {
    "Comparison": "nablab.api.comparison",
    "ComparisonTable": "nablab.api.comparison",
    "DataCheck": "nablab.api.data_checks",
    "Dataset": "nablab.data.dataset",
    "ExportedModel": "nablab.api.exporting",
    "GradientCheck": "nablab.api.checking",
    "Inspection": "nablab.api.inspection",
    "Ladder": "nablab.api.laddering",
    "Leaderboard": "nablab.api.leaderboard",
    "LessonRuns": "nablab.api.lessons",
    "NablabError": "nablab.errors",
    "PlannedComparison": "nablab.api.planning",
    "PlannedReproduction": "nablab.api.reproducing",
    "Predictions": "nablab.api.prediction",
    "Recipe": "nablab.training.recipe",
    "Reproduction": "nablab.api.reproducing",
    "RunFailed": "nablab.errors",
    "ShownData": "nablab.api.showing",
    "Spec": "nablab.models.spec",
    "TrainedRun": "nablab.api.trained",
    "UserError": "nablab.errors",
    "Verification": "nablab.api.verifying",
    "catalog": "nablab.api.catalog",
    "check_data": "nablab.api.data_checks",
    "compare": "nablab.api.training",
    "delete_run": "nablab.api.records",
    "export": "nablab.api.exporting",
    "fetch": "nablab.api.sources",
    "gradcheck": "nablab.api.checking",
    "import_data": "nablab.api.preparing",
    "inspect": "nablab.api.inspection",
    "ladder": "nablab.api.laddering",
    "leaderboard": "nablab.api.leaderboard",
    "list_lessons": "nablab.api.lessons",
    "list_runs": "nablab.api.records",
    "load": "nablab.api.sources",
    "make_dataset": "nablab.data.dataset",
    "open_lesson": "nablab.api.lessons",
    "plan": "nablab.api.planning",
    "plan_reproduction": "nablab.api.reproducing",
    "predict": "nablab.api.prediction",
    "prepare": "nablab.api.preparing",
    "preset": "nablab.training.recipe",
    "reproduce": "nablab.api.reproducing",
    "results": "nablab.api.records",
    "resume": "nablab.api.training",
    "run_lessons": "nablab.api.lessons",
    "show_data": "nablab.api.showing",
    "show_run": "nablab.api.records",
    "sources": "nablab.api.sources",
    "spec": "nablab.api.catalog",
    "train": "nablab.api.training",
    "verify": "nablab.api.verifying",
}

#: The modules that are public names.
_MODULES = ("errors", "lessons")

__all__ = [
    "Comparison",
    "ComparisonTable",
    "DataCheck",
    "Dataset",
    "ExportedModel",
    "GradientCheck",
    "Inspection",
    "Ladder",
    "Leaderboard",
    "LessonRuns",
    "NablabError",
    "PlannedComparison",
    "PlannedReproduction",
    "Predictions",
    "Recipe",
    "Reproduction",
    "RunFailed",
    "ShownData",
    "Spec",
    "TrainedRun",
    "UserError",
    "Verification",
    "catalog",
    "check_data",
    "compare",
    "delete_run",
    "errors",
    "export",
    "fetch",
    "gradcheck",
    "import_data",
    "inspect",
    "ladder",
    "leaderboard",
    "lessons",
    "list_lessons",
    "list_runs",
    "load",
    "make_dataset",
    "open_lesson",
    "plan",
    "plan_reproduction",
    "predict",
    "prepare",
    "preset",
    "reproduce",
    "results",
    "resume",
    "run_lessons",
    "show_data",
    "show_run",
    "sources",
    "spec",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"nablab.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'nablab' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
