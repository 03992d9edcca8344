"""How long the runs of a plan will take, and how much memory: from a few steps of each model, here and now.

Estimates, not promises: an estimator's time is extrapolated from its last two fits, on ever more images, by a
power law; and memory is counted from shapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from nablab.data.samples import resident_bytes
from nablab.data.split import Split, split
from nablab.errors import RunFailed
from nablab.models.model import Model
from nablab.runs.concurrency import PROCESS_BYTES
from nablab.runs.describe import describe_model
from nablab.runs.planned import Estimate, Plan
from nablab.runs.threads import computing_with
from nablab.training.feed import TrainingData, batches, fitted_bytes, kept_bytes, prepare, steps_per_epoch
from nablab.training.recipe import Recipe
from nablab.training.timing import BUDGET, Scorer

#: Seconds that the timing of one model may take, unless a single step or fit takes longer.
MODEL_BUDGET = 1.0
#: Batches that are timed at most.
_STEPS = 12
_WARM_UP = 2
#: Images that are scored to time an evaluation.
_SCORED = 256
#: Seconds that the fits of one estimator may take, unless the first takes longer. More than the steps of a
#: network: the larger the last fit, the less is left to extrapolate.
_FITS_BUDGET = 5.0
#: Training images of the first fit that times an estimator, and how many times as many the next one has.
_FIRST_FIT, _NEXT_FIT = 256, 3
#: With the training images, the time of a fit grows linearly at least, with their square at most (support
#: vectors); that of a prediction not at all, or linearly (neighbours).
_FIT_EXPONENTS = (1.0, 2.0)
_SCORE_EXPONENTS = (0.0, 1.0)

Growth = Callable[[int], float]


@dataclass(frozen=True)
class _Pace:
    """What a model was timed at, in seconds."""

    image: Growth  #: one image scored, by the number of training images
    step: float = 0.0  #: one batch of training; 0 for estimators
    fit: Growth = lambda images: 0.0  #: an estimator's fit, by the number of training images


def calibrated(plan: Plan) -> Plan:
    """The plan with an estimate for each model and fraction."""
    with computing_with(plan.recipe.threads, plan.models):
        estimates = {}
        for model in plan.models:
            pace = _time_estimator(plan, model) if model.kind == "estimator" else _time_network(plan, model)
            memory = _memory(plan, model)
            for fraction in plan.fractions:
                cut = _split(plan, fraction)
                estimates[model.label, fraction] = _estimate(pace, plan.recipe, model, cut, memory(cut))
    return replace(plan, estimates=estimates)


def _estimate(pace: _Pace, recipe: Recipe, model: Model, cut: Split, memory: int) -> Estimate:
    train, validation, test = len(cut.train), len(cut.validation), len(cut.test)
    image = pace.image(train)
    measured = image * (min(recipe.train_sample, train) + validation + test)
    timing = min(2 * BUDGET, 100 * (1 + _SCORED) * image)
    if model.kind == "estimator":
        return Estimate(pace.fit(train) + measured + timing, 0.0, memory)
    fixed = image * test + timing
    steps = math.ceil(train / recipe.batch_size)
    return Estimate(fixed, steps * pace.step + measured / recipe.evaluate_every, memory)


def _time_network(plan: Plan, model: Model) -> _Pace:
    """Some steps and an evaluation of a network that is then thrown away."""
    from nablab.training.engines import make_trainable

    recipe, kept = plan.recipe_of(model), plan.starts.get(model.label)
    data = _few(plan, (_STEPS + _WARM_UP) * recipe.batch_size)
    net = make_trainable(model, data, recipe, kept.start if kept else None)
    feed = batches(data, recipe, 0)
    step = _median_seconds(lambda: net.step(next(feed), recipe.lr), steps_per_epoch(data, recipe))
    image = _scoring_seconds(net.scores, data)
    return _Pace(image=lambda images: image, step=step)


def _time_estimator(plan: Plan, model: Model) -> _Pace:
    """Fits on ever more images, while there is time, and what they say about all."""
    from nablab.training.estimator_fit import fit
    from nablab.training.grid import fits

    times = fits(model.settings, plan.recipe.validation > 0)
    model = replace(model, settings=())  # the first of its settings speaks for all
    sizes: list[int] = []
    fitting: list[float] = []
    scoring: list[float] = []  # of one image
    images, last, spent, following = _FIRST_FIT, 0, 0.0, 0.0
    while spent + following <= _FITS_BUDGET:
        data = _few(plan, images)
        if len(data.train) == last:
            break
        began = perf_counter()
        try:
            fitted = fit(model, data, plan.recipe)
            score = _scoring_seconds(fitted.scores, data)
        except (RunFailed, ValueError):  # some need several images of each class, or more than they ask for
            took = perf_counter() - began
        else:
            sizes.append(len(data.train))
            fitting.append(fitted.fit_seconds)
            scoring.append(score)
            took = fitted.fit_seconds + _SCORED * score
        last, images = len(data.train), images * _NEXT_FIT
        spent, following = spent + took, took * _NEXT_FIT
    if not sizes:
        return _Pace(image=lambda images: 0.0)  # so will the run fail, as fast, and say why
    once = power_law(sizes, fitting, _FIT_EXPONENTS)
    return _Pace(image=power_law(sizes, scoring, _SCORE_EXPONENTS), fit=lambda images: times * once(images))


def _scoring_seconds(scores: Scorer, data: TrainingData) -> float:
    """Of one image among many."""
    x = data.test.first(_SCORED).all()
    return _median_seconds(lambda: scores(x), 5 + _WARM_UP) / len(x)


def _median_seconds(act: Callable[[], object], at_most: int) -> float:
    """The median time of `act`, after a warm-up where there is time for one."""
    began = perf_counter()
    times: list[float] = []
    while len(times) < at_most and (not times or perf_counter() - began < MODEL_BUDGET):
        start = perf_counter()
        act()
        times.append(perf_counter() - start)
    return float(np.median(times[_WARM_UP:] or times[-1:]))


def power_law(sizes: Sequence[int], seconds: Sequence[float], exponents: tuple[float, float]) -> Growth:
    """Seconds for any size, through the last two measurements: t = t_last (n / n_last)^p.

    Args:
        sizes: one or more, ascending.
        seconds: measured at each.
        exponents: what p lies between; with one measurement it is in the middle.

    >>> round(power_law([100, 200], [1.0, 4.0], (1, 2))(400), 6)
    16.0
    >>> round(power_law([100, 200], [1.0, 16.0], (1, 2))(400), 6)
    64.0
    """
    exponent = sum(exponents) / 2
    if len(sizes) > 1 and min(seconds[-2:]) > 0:
        exponent = math.log(seconds[-1] / seconds[-2]) / math.log(sizes[-1] / sizes[-2])
    exponent = min(max(exponent, exponents[0]), exponents[1])
    return lambda size: float(seconds[-1] * (size / sizes[-1]) ** exponent)


def _split(plan: Plan, fraction: float) -> Split:
    recipe = plan.recipe
    seed = plan.seeds[0] if plan.resample else recipe.split_seed
    return split(
        plan.dataset,
        fraction=fraction,
        validation=recipe.validation,
        split_seed=seed,
        test_fraction=plan.test_fraction,
    )


def _few(plan: Plan, images: int) -> TrainingData:
    """The data of the largest fraction, but few of its images."""
    cut = _split(plan, max(plan.fractions))
    nothing = cut.validation[:0]
    few = replace(cut, train=cut.train[:images], validation=nothing, test=cut.test[:_SCORED])
    recipe = plan.recipe
    if recipe.preprocessing == "init":  # another run's numbers take as long
        recipe = recipe.but(preprocessing="standardize")
    return prepare(plan.dataset, few, recipe)


def _memory(plan: Plan, model: Model) -> Callable[[Split], int]:
    """Bytes of the process of a run, by its split.

    Weights, gradients, two moments of the optimiser and the kept weights; the outputs of all layers for one
    batch, forward and backward; the images as float32, where they are kept or an estimator needs them.
    """
    dataset, recipe = plan.dataset, plan.recipe
    record = describe_model(model, dataset.input_shape, len(dataset.classes))
    outputs = sum(math.prod(row.output_shape) for row in record.layers)
    network = 4 * (5 * (record.parameters or 0) + 2 * max(recipe.batch_size, _SCORED) * outputs)
    raw = resident_bytes(dataset.x_train) + resident_bytes(dataset.x_test)

    def of(cut: Split) -> int:
        whole = fitted_bytes(dataset, cut) if model.kind == "estimator" else 0
        return PROCESS_BYTES + raw + network + (kept_bytes(dataset, cut) or whole)

    return of
