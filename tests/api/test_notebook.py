"""A comparison in a notebook's cell: progress in one output, and a result that shows itself."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from nablab.api.progress import bars_html

CODE = """
import nablab
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 10))

nablab.compare([Net, "8-ReLU-K"], "digits", seeds=1, epochs=2, out="out")
"""


@pytest.fixture
def cell(tmp_path: Path) -> nbformat.NotebookNode:
    """The cell, executed from a fresh kernel."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)])
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    return notebook.cells[0]


def test_classes_of_the_cell_are_trained_and_the_result_is_shown(cell: nbformat.NotebookNode) -> None:
    progress, result = cell.outputs
    assert progress.output_type == "display_data"
    assert "2 of 2 runs" in progress.data["text/html"]
    assert "<progress" not in progress.data["text/html"], "at the end the bar has gone"
    assert result.output_type == "execute_result"
    assert ">net<" in result.data["text/html"]
    assert "<svg" in result.data["text/html"]


WORK = """
from nablab.api.progress import work_bars
with work_bars() as tell:
    tell("<pictures>", 1, 5)
    {fail}
"""


@pytest.mark.parametrize("fail", ["pass", "raise ValueError"])
def test_bars_of_other_work_need_nothing_else_installed_and_go(tmp_path: Path, fail: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(WORK.format(fail=fail))])
    NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute(cwd=str(tmp_path))
    shown = [output.get("data") for output in notebook.cells[0].outputs if output.output_type != "error"]
    assert [data["text/html"] for data in shown] == [""]


def test_a_bar_says_whose_it_is() -> None:
    assert "&lt;pictures&gt;, 20 %" in bars_html({"<pictures>": (1, 5)})
    assert "%" not in bars_html({"all": (3, 0)})
