"""The cells of a delivery, as text: what a student would write, and room for what only they can say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nablab.report.tables import markdown_text
from nablab.report.view_types import ComparisonView, SectionView
from nablab.report.words import share


@dataclass(frozen=True)
class Cell:
    """A cell that has not run yet."""

    kind: Literal["markdown", "code"]
    source: str


@dataclass(frozen=True)
class Material:
    """What a notebook is written from.

    Attributes:
        view: of the records.
        results: their folder, as the notebook names it: relative to itself, or by `~`.
        data: the expression that loads the images again, e.g. `nablab.load("digits")`; or empty.
        source_files: label of a user's module -> its file, named alike, where it is as it was.
        training: the arguments of `nablab.compare` that train inside the notebook; empty to read the records.
    """

    view: ComparisonView
    results: str
    data: str
    source_files: Mapping[str, str]
    training: Mapping[str, Any]


def cells(material: Material) -> list[Cell]:
    """All of them, in order."""
    return [
        *_opening(material),
        *_data(material),
        *_networks(material),
        *_training(material),
        *_curves(material),
        *_matrices(material),
        *_costs(material),
        *_tables(material),
        *_closing(),
    ]


def _text(source: str) -> Cell:
    return Cell("markdown", source)


def _code(*lines: str) -> Cell:
    return Cell("code", "\n".join(lines))


def _prompt(*questions: str) -> Cell:
    """A marked block that only the reader can fill."""
    return _text("\n".join(["> ✍ **Your answer**", ">", *(f"> - {question}" for question in questions)]))


def quoted(text: str) -> str:
    """A Python literal with double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _opening(material: Material) -> Iterator[Cell]:
    names = ", ".join(f"`{row.label}`" for row in material.view.rows)
    source = (
        "The networks are trained inside this notebook"
        if material.training
        else f"Every number below is read from the run records in `{material.results}` when a cell runs"
    )
    yield _text(
        f"# {markdown_text(material.view.title)}\n\nModels: {names}.\n\n{source}. "
        "Blocks marked ✍ are for you to fill: what the numbers mean is yours to explain."
    )
    yield _code(
        "%matplotlib inline",
        '%config InlineBackend.figure_formats = ["retina"]',
        '%config InlineBackend.print_figure_kwargs = {"facecolor": "white", "bbox_inches": None}',
        "",
        "from pathlib import Path",
        "",
        "import nablab",
        "from IPython.display import SVG, Markdown, display",
        "from nablab.models.torch_net import build",
        "from nablab.report import notebook_pictures as pictures, notebook_tables as tables, plots",
    )
    if not material.training:
        yield _code(
            f"comparison = nablab.results({quoted(material.results)})",
            "view = comparison.view",
            "Markdown(tables.answer(view))",
        )


def _data(material: Material) -> Iterator[Cell]:
    yield _text("## 1. The data")
    if not material.training:
        yield _code("Markdown(tables.data(view))")
    if material.data:
        yield _code(f"data = {material.data}", "pictures.data_figure(data)")
    elif material.view.data.samples:
        yield _text("Test images that at least one of the models got wrong, by their true class:")
        yield _code("pictures.samples_figure(view)")


def _networks(material: Material) -> Iterator[Cell]:
    yield _text("## 2. The models")
    for section in material.view.sections:
        yield _text(f"### `{section.label}`")
        if section.spec is not None:
            yield from _network(material.view, section)
        elif section.kind == "module":
            yield from _module(material, section)
        else:
            yield _text(f"A scikit-learn estimator: `{section.detail}`")
    yield _prompt(
        "Which of these models are your own, and what is the idea of each?",
        "What does each layer do, and why is it where it is?",
    )


def _network(view: ComparisonView, section: SectionView) -> Iterator[Cell]:
    shape, classes = section.input_shape, len(view.data.classes)
    yield _code(f"spec = nablab.spec({quoted(section.spec or '')})", *_inspected("spec", view))
    yield _code(f"build(spec, {shape}, {classes})  # the same as a PyTorch module")
    yield _code("SVG(network.svg)")


def _inspected(model: str, view: ComparisonView) -> tuple[str, str]:
    """Lines that show the layer table of what the expression `model` stands for."""
    arguments = f"input_shape={view.data.input_shape}, classes={len(view.data.classes)}, latency=False"
    return f"network = nablab.inspect({model}, {arguments})", "network.sheet()"


def _module(material: Material, section: SectionView) -> Iterator[Cell]:
    path = material.source_files.get(section.label)
    if path is not None:
        name = section.reference.rpartition(":")[2]
        home = ".expanduser()" if path.startswith("~") else ""
        yield _code(f"print(Path({quoted(path)}){home}.read_text())")
        yield _code(*_inspected(quoted(f"{path}:{name}"), material.view))
        yield _code("SVG(network.svg)")
        return
    where = section.source_file or "a class of the session that trained it"
    yield _text(
        f"Its code is not beside this notebook ({where}); its layers and its graph are in the records."
    )
    if not material.training:
        yield _code(
            "from nablab.report.graph import model_svg",
            f"section = view.section({quoted(section.label)})",
            "SVG(model_svg(section.layers, section.graph))",
        )


def _training(material: Material) -> Iterator[Cell]:
    yield _text("## 3. Training")
    if material.training:
        yield _code(*_compare_call(material.training))
        yield _code("view = comparison.view", "Markdown(tables.answer(view))")
        yield _code("Markdown(tables.data(view))")
    yield _code("Markdown(tables.training_time(view))")
    yield _code("Markdown(tables.facts(view))")
    yield _code("Markdown(tables.recipe(view))")


def _compare_call(arguments: Mapping[str, Any]) -> Iterator[str]:
    yield "comparison = nablab.compare("
    yield "    ["
    yield from (f"        {quoted(model)}," for model in arguments["models"])
    yield "    ],"
    yield "    data,"
    for name, value in arguments.items():
        if name != "models":
            yield f"    {name}={quoted(value) if isinstance(value, str) else repr(value)},"
    yield "    progress=False,"
    yield ")"


def _trained(view: ComparisonView) -> Sequence[SectionView]:
    return [section for section in view.sections if section.kind != "estimator"]


def _curves(material: Material) -> Iterator[Cell]:
    if not _trained(material.view):
        return
    yield _text(
        "## 4. Learning curves\n\nLoss and accuracy on training, validation and test images after each "
        "epoch, measured on weights that stand still; lines are means over seeds, bands reach from the "
        "lowest to the highest. The running curve is measured while the weights move."
    )
    for section in _trained(material.view):
        yield _code(
            f"for curves in view.section({quoted(section.label)}).curves:",
            '    title = f"{curves.label}, {100 * curves.fraction:g} % of the training images"',
            "    display(plots.curves_figure(curves, title=title))",
        )
    yield _text("### All of them")
    yield _code('plots.all_curves_figure(view, "test", "accuracy")')
    yield _code('plots.all_curves_figure(view, "train", "loss")')
    yield _prompt(
        "Which networks still learn at the end, and which have begun to overfit? Where do you see it?",
        "Where do training and test curves part, and what would you change?",
    )


def _matrices(material: Material) -> Iterator[Cell]:
    yield _text(
        "## 5. Confusion matrices\n\nRows are the true class, columns what the model said; counts over all "
        "seeds, on the test images, at the largest fraction."
    )
    with_pictures = bool(material.view.images) or bool(material.training)
    for section in material.view.sections:
        yield _code(
            f"section = view.section({quoted(section.label)})",
            "if section.confusion:",
            "    display(plots.confusion_figure(section.confusion, title=section.label))",
        )
        yield _code("Markdown(tables.by_class(view, section))")
        if with_pictures:
            yield _code(
                "if view.images and section.confusion and section.confusion.mistakes:",
                "    display(pictures.mistakes_figure(view, section))",
            )
    yield _prompt("Which classes are taken for each other, and why? Do all models agree on them?")


def _costs(material: Material) -> Iterator[Cell]:
    yield _text(
        "## 6. Costs\n\nTrainable parameters; multiply-accumulates (MACs) of convolutions and linear layers "
        "for one image, and FLOPs = 2 MACs; training counts the steps only, wall everything; prediction is "
        "seconds an image, one at a time and 256 at a time."
    )
    yield _code("Markdown(tables.costs(view))")
    yield _code('plots.scatter_figure(view, view.time_points, "training time", seconds=True)')
    yield _code('plots.scatter_figure(view, view.parameter_points, "parameters")')
    yield _prompt("Is the most accurate model worth what it costs? Do time and MACs go together?")


def _tables(material: Material) -> Iterator[Cell]:
    yield _text("## 7. Results at each share of the training images")
    for fraction in material.view.fractions:
        yield _code(f"Markdown(tables.accuracies(view, {fraction!r}))")
    yield _text(
        f"Every two models at {share(material.view.fractions[-1])}, with Holm's correction; seeds and test "
        "images both count as chance. A tie means that the difference could be chance."
    )
    yield _code(f"Markdown(tables.verdicts(view, {material.view.fractions[-1]!r}))")
    yield _prompt(
        "How does the order of the models change with the amount of data?",
        "Which differences can you rely on, and which may be chance?",
    )


def _closing() -> Iterator[Cell]:
    yield _text("## 8. Where these numbers come from")
    yield _code("Markdown(tables.environment(view))")
    yield _prompt("Which model would you use, and what would you try next?")
