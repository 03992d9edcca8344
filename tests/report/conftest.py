"""The factory of comparisons, for the tests of reports."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def factory() -> ModuleType:
    """`tests/report/factory.py`: `factory.write_comparison(folder, models, ...)`, `factory.MODELS`."""
    path = Path(__file__).parents[1] / "report" / "factory.py"
    spec = importlib.util.spec_from_file_location("comparison_factory", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def results(factory, tmp_path_factory):
    """Six models of every kind, two fractions, three seeds, one diverged run."""
    from nablab.analysis.results import load_results

    folder = tmp_path_factory.mktemp("comparison")
    return load_results(
        factory.write_comparison(folder, fractions=(0.01, 0.1), failed={("MyNet", 2)}, jobs={"knn": 2})
    )


@pytest.fixture(scope="session")
def view(results):
    from nablab.report.view import comparison_view

    return comparison_view(results)
