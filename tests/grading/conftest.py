"""A real delivery, made once: two networks trained on digits, nablab's notebook, and a student's answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

RUBRIC = """
title = "Two networks on digits"
given_models = ["net_linear"]
new_models = 1
least_words = 10

[[parts]]
name = "trainings"
points = 5
[parts.criteria]
given_models_trained = 1
new_models_trained = 1
new_models_explained = 1
networks_shown = 1
questions_answered = 1
run_in_order = 1
records_hold = 1

[[parts]]
name = "curves and matrices"
points = 2
[parts.criteria]
curves = 1
curves_together = 1
matrices = 1

[[parts]]
name = "costs"
points = 3
[parts.criteria]
cost_table = 1
accuracy_table = 1
graphs = 1
numbers_right = 1
"""

ANSWER = (
    "The hidden layer of the mlp bends what a single layer cannot, which is why I added it: it has 7,510 "
    "parameters and net_linear has 650. On the test images the mlp reaches {accuracy:.1f} %."
)


@dataclass(frozen=True)
class Delivery:
    """A folder with `delivery.ipynb`, its `results`, and `rubric.toml`; to be changed at will."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "delivery.ipynb"

    @property
    def rubric(self) -> Path:
        return self.folder / "rubric.toml"

    def run(self, name: str) -> Path:
        return self.folder / "results" / "runs" / name

    def edit(self, change: Callable[[list[dict[str, Any]]], object]) -> None:
        """Let `change` edit the notebook's cells."""
        values = json.loads(self.path.read_text(encoding="utf-8"))
        change(values["cells"])
        self.path.write_text(json.dumps(values), encoding="utf-8")

    def edit_record(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        path = self.run(name) / "run.json"
        values = json.loads(path.read_text(encoding="utf-8"))
        change(values)
        path.write_text(json.dumps(values), encoding="utf-8")

    def replace_output(self, source: str, old: str, new: str) -> str:
        """Change a text in what the first cell with `source` put out; it must be there. The cell's place."""
        found = []

        def change(cells: list[dict[str, Any]]) -> None:
            place = next(n for n, cell in enumerate(cells) if source in "".join(cell["source"]))
            text = json.dumps(cells[place]["outputs"], ensure_ascii=False)
            assert old in text, f"{old!r} is not in {text[:400]}"
            cells[place]["outputs"] = json.loads(text.replace(old, new, 1))
            found.append(f"cell {place + 1}")

        self.edit(change)
        return found[0]

    def add_answer(self, text: str) -> None:
        """A sentence of the student's under the last heading."""
        cell = {"cell_type": "markdown", "id": "added", "metadata": {}, "source": text}
        self.edit(lambda cells: cells.append(cell))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The delivery as its student left it."""
    import nablab

    folder = tmp_path_factory.mktemp("student")
    comparison = nablab.compare(
        ["net_linear", "mlp"], "digits", seeds=2, epochs=2, jobs=1, threads=1, out=folder / "results",
        progress=False,
    )  # fmt: skip
    comparison.notebook(folder / "delivery.ipynb")
    (folder / "rubric.toml").write_text(RUBRIC, encoding="utf-8")
    accuracy = comparison.view.section("mlp").row.main.accuracy
    delivery = Delivery(folder)

    def fill(cells: list[dict[str, Any]]) -> None:
        for cell in cells:
            source = "".join(cell["source"])
            if "✍ **Your answer**" in source:
                cell["source"] = f"{source}\n\n{ANSWER.format(accuracy=100 * accuracy)}"

    delivery.edit(fill)
    return folder


@pytest.fixture
def delivery(made: Path, tmp_path: Path) -> Delivery:
    """A copy of the delivery, to be tampered with."""
    folder = tmp_path / "delivery"
    shutil.copytree(made, folder)
    return Delivery(folder)


@pytest.fixture
def check() -> Callable[..., Any]:
    """Checks a delivery by its own rubric, without pictures unless asked; its verdict."""
    import nablab

    def check(delivery: Delivery, *, pictures: bool = False, **more: Any) -> Any:
        done = nablab.verify(delivery.path, rubric=delivery.rubric, pictures=pictures, progress=False, **more)
        return done.verdicts[0]

    return check
