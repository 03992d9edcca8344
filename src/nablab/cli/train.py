"""nablab train: `nablab.train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nablab.cli.options import (
    RESULTS,
    RUNS,
    DataOptions,
    Fast,
    Init,
    Out,
    OutputOptions,
    Preset,
    TestFraction,
    by_intelex,
    check_alone,
    option,
)
from nablab.cli.recipe_options import RecipeOptions, given
from nablab.errors import UserError


def train(
    model: Annotated[
        str | None, Parameter(help="A name, a layer string, file.py:Class or an estimator.", required=False)
    ] = None,
    /,
    *,
    images: DataOptions = DataOptions(),  # noqa: B008
    fraction: Annotated[
        float | None, option(RUNS, "Share of the full training set. [all that is here]")
    ] = None,
    test_fraction: TestFraction = None,
    fast: Fast = False,
    out: Out = None,
    init: Init = None,
    resume: Annotated[Path | None, option(RESULTS, "Go on with what was interrupted in a folder.")] = None,
    preset: Preset = None,
    recipe: RecipeOptions = RecipeOptions(),  # noqa: B008
    output: OutputOptions = OutputOptions(),  # noqa: B008
) -> int:
    """Train one model."""
    import nablab

    asked = {
        "fraction": fraction,
        "test_fraction": test_fraction,
        "preset": preset,
        "out": out,
        "init": init,
        **given(recipe),
    }
    progress = not output.quiet
    if fast:
        (model,) = by_intelex((model or "",))
    if resume is not None:
        check_alone("--resume FOLDER", [model] if model else [], images, asked)
        comparison = nablab.resume(resume, progress=progress)
        if len(comparison.results.runs) > 1:  # what nablab compare began
            output.show(comparison, comparison.document())
            return 1 if comparison.failures else 0
        run = nablab.show_run(comparison.folder)
        run.check()
    elif model is None and init is None:
        raise UserError("which model? For example: nablab train lenet")
    else:
        run = nablab.train(model, images.load(progress=progress), progress=progress, **asked)
    output.show(run, run.document())
    return 0
