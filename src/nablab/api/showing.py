"""What a data set holds: numbers, and pictures in a terminal, in a notebook and in files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nablab.api.sheet import as_text
from nablab.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType

    from nablab.data.dataset import Dataset
    from nablab.data.describe import Summary
    from nablab.report.view_data import DataView

_FORMATS = (".png", ".svg")


@dataclass(frozen=True, eq=False)
class ShownData:
    """What `show_data` found. Shows itself in a terminal and in a notebook.

    Attributes:
        summary: counts by class, shape, moments, mean images, examples: plain values and arrays.
        title: what the data set is called in headings.
        what: what is in it, in a line; empty for one's own data.
    """

    summary: Summary
    title: str
    what: str

    def facts(self) -> dict[str, Any]:
        """All but the pictures, as plain data: what `--json` prints."""
        summary = self.summary
        left_out = {"pictures", "points", "classes"}
        values = {name: value for name, value in vars(summary).items() if name not in left_out}
        return {
            "name": summary.name,
            "title": self.title,
            "what": self.what,
            **{name: list(value) if isinstance(value, tuple) else value for name, value in values.items()},
            "classes": [asdict(row) for row in summary.classes],
        }

    def figure(self) -> Figure:
        """The mean image and examples of each class with counts, or its points, as a matplotlib figure."""
        from nablab.report.plots_data import data_figure

        return data_figure(self._view)

    def picture(self, path: str | Path) -> Path:
        """Write the figure as a `.png` or `.svg` file; returns its path.

        Raises:
            UserError: another ending.
        """
        from nablab.report.plots_data import write_figure

        path = check_picture(Path(path))
        write_figure(self.figure(), path)
        return path

    @cached_property
    def _view(self) -> DataView:
        from nablab.report.view_data import data_view

        return data_view(self.summary, title=self.title, what=self.what)

    def __rich__(self) -> RenderableType:
        from nablab.report.terminal_data import render

        return render(self._view)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        from nablab.report.html_data import data_html

        return data_html(self._view)


def check_picture(path: Path) -> Path:
    """The path of a picture of data.

    Raises:
        UserError: another ending than `.png` or `.svg`.
    """
    if path.suffix.lower() not in _FORMATS:
        raise UserError(f"a picture of data is a .png or .svg file, not {path}")
    return path


def show_data(
    data: str | Path | Dataset,
    *,
    examples: int = 8,
    augmentation: str = "",
    seed: int = 0,
    size: int | None = None,
    color: str | None = None,
    group: str | None = None,
    progress: bool = True,
) -> ShownData:
    """What a data set holds: counts by class, shapes, mean and deviation, mean images and examples.

    Args:
        data: what `load` takes.
        examples: images of each class; 0 draws no pictures.
        augmentation: draws each example a second time, augmented: `flip,shift:2`.
        seed: of the augmentation.
        size: as in `load`.
        color: as in `load`.
        group: as in `load`.
        progress: as in `load`.

    >>> show_data("digits").facts()["train"]
    1439

    Raises:
        UserError: as `load`; or an augmentation that these samples cannot have.
    """
    from nablab.api.sources import load
    from nablab.data.describe import summary
    from nablab.data.sources import SOURCES

    if examples < 0:
        raise UserError(f"examples must be 0 or more, not {examples}")
    dataset = load(data, size=size, color=color, group=group, progress=progress)
    source = SOURCES.get(data.lower()) if isinstance(data, str) else None
    found = summary(dataset, examples=examples, augmentation=augmentation, seed=seed)
    return ShownData(found, source.title if source else dataset.name, source.description if source else "")
