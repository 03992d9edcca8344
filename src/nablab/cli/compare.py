"""nablab compare: `nablab.compare`, `nablab.plan`, `nablab.resume` and `Comparison.add`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from nablab.cli.options import (
    RESULTS,
    RUNS,
    DataOptions,
    Fast,
    Fractions,
    Init,
    Jobs,
    Out,
    OutputOptions,
    Preset,
    Seeds,
    TestFraction,
    by_intelex,
    check_alone,
    option,
)
from nablab.cli.recipe_options import RecipeOptions, given
from nablab.errors import UserError

if TYPE_CHECKING:
    from nablab.api.comparison import Comparison


def compare(
    *models: Annotated[str, Parameter(help="Names, layer strings, file.py:Class, scikit-learn estimators.")],
    images: DataOptions = DataOptions(),  # noqa: B008
    fractions: Fractions = None,
    seeds: Seeds = None,
    test_fraction: TestFraction = None,
    resample: Annotated[bool | None, option(RUNS, "Let the seed also draw which images train.")] = None,
    jobs: Jobs = None,
    budget: Annotated[str | None, option(RUNS, "Train less to keep to a time, e.g. 10m.")] = None,
    fast: Fast = False,
    dry_run: Annotated[bool, option(RUNS, "Only say what would run, how long, how much memory.")] = False,
    out: Out = None,
    init: Init = None,
    config: Annotated[Path | None, option(RESULTS, "Repeat what an experiment.toml describes.")] = None,
    resume: Annotated[Path | None, option(RESULTS, "Go on with what was interrupted in a folder.")] = None,
    add: Annotated[
        tuple[str, ...], option(RESULTS, "Train one more model beside those in a folder.", metavar="MODEL")
    ] = (),
    no_notebook: Annotated[bool, option(RESULTS, "Leave the notebook out; nablab report writes it.")] = False,
    preset: Preset = None,
    recipe: RecipeOptions = RecipeOptions(),  # noqa: B008
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Train models on the same images, with the same recipe and seeds, and compare them."""
    import nablab

    asked: dict[str, Any] = {
        "fractions": fractions,
        "seeds": seeds,
        "test_fraction": test_fraction,
        "resample": resample,
        "preset": preset,
        "config": config,
        "jobs": jobs,
        "budget": budget,
        "out": out,
        "init": init,
        **given(recipe),
    }
    progress = not output.quiet
    if fast:
        models, add = (models, by_intelex(add)) if add else (by_intelex(models), add)
    if resume is not None:
        check_alone("--resume FOLDER", (*models, *add), images, asked | {"dry_run": dry_run or None})
        return finish(nablab.resume(resume, progress=progress), output, not no_notebook)
    if add:
        if len(models) != 1:
            raise UserError("--add needs one folder of results: nablab compare --add convmixer results")
        check_alone("--add MODEL FOLDER", (), images, asked | {"dry_run": dry_run or None})
        return finish(nablab.results(models[0]).add(*add, progress=progress), output, not no_notebook)
    if dry_run:
        planned = nablab.plan(models, images.load(progress=progress), **asked)
        output.show(planned, planned.document())
        return 0
    comparison = nablab.compare(models, images.load(progress=progress), progress=progress, **asked)
    return finish(comparison, output, not no_notebook)


def finish(comparison: Comparison, output: OutputOptions, notebook: bool) -> int:
    """Print the result, then write what is delivered; 1 when a run failed."""
    if not output.json:
        output.show(comparison, {})
        output.show("", {})
    writers = {"report": comparison.report} | ({"notebook": comparison.notebook} if notebook else {})
    delivered = {}
    for what, write in writers.items():
        with output.working(f"writing the {what}"):
            delivered[what] = str(write())
        if not output.json:
            output.show(f"{what:<9} {delivered[what]}", {})
    if output.json:
        output.show(comparison, comparison.document() | delivered)
    return 1 if comparison.failures else 0
