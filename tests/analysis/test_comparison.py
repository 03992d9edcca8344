"""The verdicts: special cases against SciPy, error rate by simulation, Holm, ranks, what is undecided."""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nablab.analysis.comparison import Pair, Sample, compare, compare_all, holm, ranks


def sample(label, correct, *, seeded=True, images=None):
    correct = np.atleast_2d(np.asarray(correct, dtype=bool))
    return Sample(label, correct, np.arange(correct.shape[1]) if images is None else images, seeded)


def drawn(rng, label, difficulty, *, seeds=3, own=0.7, seed_spread=0.15, ability=1.2):
    """Runs of a model in the crossed design: images, a model's taste in images, seeds, and the rest."""
    m = len(difficulty)
    latent = ability + difficulty + own * rng.normal(size=m)
    latent = latent + seed_spread * rng.normal(size=(seeds, 1)) + 0.5 * rng.normal(size=(seeds, m))
    return sample(label, latent > 0)


def error_rate(judge, *, repeats=500, ability_of_b=1.2, seed_spread=0.15):
    """How often two models are called different."""
    rng = np.random.default_rng(0)
    called = 0
    for _ in range(repeats):
        difficulty = rng.normal(size=300)
        a = drawn(rng, "a", difficulty, seed_spread=seed_spread)
        b = drawn(rng, "b", difficulty, seed_spread=seed_spread, ability=ability_of_b)
        called += judge(a, b)
    return called / repeats


def by_nablab(a, b):
    return compare_all([a, b])[0].verdict != "tie"


def by_images_only(a, b):
    """The fault that many comparisons make: every image of every run taken as independent."""
    return stats.ttest_rel(a.correct.ravel().astype(float), b.correct.ravel().astype(float)).pvalue < 0.05


def test_without_seeds_it_is_the_paired_t_test_over_images():
    rng = np.random.default_rng(1)
    a, b = rng.random(200) < 0.8, rng.random(200) < 0.7
    pair = compare(sample("a", a, seeded=False), sample("b", b, seeded=False))
    expected = stats.ttest_rel(a.astype(float), b.astype(float))
    assert pair.p == pytest.approx(expected.pvalue, rel=1e-10)
    assert pair.degrees == pytest.approx(199)
    low, high = expected.confidence_interval(0.95)
    judged = compare_all([sample("a", a, seeded=False), sample("b", b, seeded=False)])[0]
    assert (judged.low, judged.high) == (pytest.approx(low), pytest.approx(high))


def test_without_variance_between_images_it_is_welchs_test_over_seeds():
    """Every run is right about all images or about none: images add nothing, only seeds vary."""
    a, b = np.array([1, 1, 0, 1, 1, 1]), np.array([0, 1, 0, 0])
    pair = compare(
        sample("a", np.repeat(a[:, None], 50, axis=1)), sample("b", np.repeat(b[:, None], 50, axis=1))
    )
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert pair.p == pytest.approx(expected.pvalue, rel=1e-10)
    assert pair.degrees == pytest.approx(expected.df)


def test_against_a_method_without_seeds_it_is_the_one_sample_test():
    a = np.array([1, 0, 0, 0, 0, 0, 0, 1])
    never = sample("b", np.zeros((1, 30)), seeded=False)
    pair = compare(sample("a", np.repeat(a[:, None], 30, axis=1)), never)
    assert pair.p == pytest.approx(stats.ttest_1samp(a, 0.0).pvalue, rel=1e-10)


def test_variance_is_the_moment_estimator_of_the_crossed_design():
    """Worked by hand against a method that is never right: SE^2 = (MS_seed + MS_image - MS_rest)/(n m)."""
    correct = np.repeat([[1, 1, 1, 0], [1, 0, 1, 1], [1, 0, 0, 0]], 3, axis=1)
    a, b = sample("a", correct), sample("b", np.zeros((1, 12)), seeded=False)
    # Accuracies 3/4, 3/4, 1/4, mean 7/12: SS_seed = 12 (1/36 + 1/36 + 1/9) = 2, MS_seed = 1.
    # Images 1, 1/3, 2/3, 1/3, each three times: SS_image = 3 * 3 (25 + 9 + 1 + 9)/144 = 11/4, MS_image = 1/4.
    # In all 36 * 7/12 * 5/12 = 35/4; what is left is 4, MS_rest = 4/22.
    expected = (1 + 1 / 4 - 4 / 22) / 36
    assert compare(a, b).standard_error == pytest.approx(np.sqrt(expected))


def test_agreement_by_luck_does_not_make_it_sure():
    """Two seeds right about opposite halves: equal accuracies and equal images, yet all of it is chance."""
    opposite = np.tile([[1, 0], [0, 1]], 10)
    pair = compare(sample("a", opposite), sample("b", np.zeros((1, 20)), seeded=False))
    # What is left after seeds and images is 1/2 everywhere: 40/4 over 1 * 19 degrees; of a mean of 40.
    assert pair.standard_error == pytest.approx(np.sqrt(10 / 19 / 40))


def test_error_rate_is_near_five_percent():
    rate = error_rate(by_nablab)
    assert 0.02 <= rate <= 0.08
    assert error_rate(by_images_only) > 2 * 0.08  # so the check can fail


def test_error_rate_stays_below_five_percent_where_seeds_hardly_matter():
    assert error_rate(by_nablab, repeats=300, seed_spread=0.0) <= 0.08


def test_a_real_difference_is_found_and_pointed_the_right_way():
    assert error_rate(by_nablab, repeats=60, ability_of_b=2.4, seed_spread=0.05) > 0.9
    rng = np.random.default_rng(3)
    difficulty = rng.normal(size=1000)
    strong, weak = drawn(rng, "strong", difficulty, ability=2.4), drawn(rng, "weak", difficulty)
    (pair,) = compare_all([weak, strong])
    assert pair.verdict == "worse"
    assert pair.high < 0
    assert pair.turned().verdict == "better"


def test_more_seeds_and_more_images_narrow_the_interval():
    rng = np.random.default_rng(4)

    def width(seeds, m):
        difficulty = rng.normal(size=m)
        (pair,) = compare_all([drawn(rng, name, difficulty, seeds=seeds) for name in "ab"])
        return pair.high - pair.low

    assert np.mean([width(3, 1000) for _ in range(20)]) < np.mean([width(3, 100) for _ in range(20)])
    assert np.mean([width(10, 300) for _ in range(20)]) < np.mean([width(3, 300) for _ in range(20)])


@pytest.mark.parametrize("names", ["a", "b"])
def test_one_seed_of_a_random_method_is_undecided(names):
    seeds = {name: 1 if name in names else 3 for name in "ab"}
    rng = np.random.default_rng(5)
    difficulty = rng.normal(size=100)
    (pair,) = compare_all([drawn(rng, name, difficulty, seeds=seeds[name]) for name in "ab"])
    assert (pair.verdict, pair.p, pair.low) == ("undecided", None, None)
    assert pair.reason == f"one seed only of {names}"


def test_different_test_images_are_undecided():
    a = sample("a", np.ones((3, 10)))
    b = sample("b", np.ones((3, 10)), images=np.arange(1, 11))
    assert compare(a, b).reason == "measured on different test images"


def test_equal_predictions_are_a_tie():
    (pair,) = compare_all([sample(name, np.tile([1, 0, 1, 1], (3, 1))) for name in "ab"])
    assert (pair.verdict, pair.difference, pair.p) == ("tie", 0.0, 1.0)


@pytest.mark.parametrize(("m", "verdict"), [(2, "tie"), (100, "better")])
def test_no_difference_is_known_more_finely_than_one_image(m, verdict):
    """Always right against never right has no variance at all; two images still prove nothing."""
    right, wrong = sample("a", np.ones((3, m))), sample("b", np.zeros((3, m)))
    assert compare_all([right, wrong])[0].verdict == verdict


def test_holm_by_hand():
    assert holm([]) == []
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6, 0.9]) == [1.0, 1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values):
    adjusted = holm(p_values)
    left = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = set()
    while left and p_values[left[0]] * len(left) <= 0.05:
        rejected.add(left.pop(0))
    assert rejected == {i for i, p in enumerate(adjusted) if p <= 0.05}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_zero_lies_in_the_interval_exactly_when_it_is_a_tie(seed):
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(size=80)
    models = [drawn(rng, str(k), difficulty, ability=1.2 + 0.3 * k) for k in range(5)]
    for pair in compare_all(models):
        assert (pair.low <= 0 <= pair.high) == (pair.verdict == "tie")
        assert pair.low <= pair.difference <= pair.high


def test_intervals_stand_at_the_levels_of_holms_procedure():
    """Also those of pairs whose adjusted p is cut at 1: the first of k is tested at 5 % / k."""
    rng = np.random.default_rng(7)
    models = [sample(str(k), rng.random((3, 300)) < 0.8) for k in range(5)]
    pairs = sorted(compare_all(models), key=lambda pair: pair.p)
    assert pairs[0].p_adjusted == 1, "nothing is there to be found"
    levels = [
        2 * stats.t.sf((pair.high - pair.low) / 2 / pair.standard_error, pair.degrees) for pair in pairs
    ]
    assert levels[0] == pytest.approx(0.05 / len(pairs))
    assert all(0.05 / len(pairs) * (1 - 1e-9) <= level <= 0.05 for level in levels)


def test_a_hundred_models_are_compared_in_no_time():
    rng = np.random.default_rng(8)
    models = [sample(str(k), rng.random((5, 10_000)) < 0.8) for k in range(100)]
    began = process_time()
    assert len(compare_all(models)) == 4950
    assert process_time() - began < 5


def places(verdicts, accuracies):
    return ranks(accuracies, [Pair(a, b, verdict, 0.0) for (a, b), verdict in verdicts.items()])


def test_ranks_count_all_models_before_a_group():
    verdicts = {("a", "b"): "tie", ("a", "c"): "better", ("b", "c"): "tie"}
    assert places(verdicts, {"a": 0.9, "b": 0.89, "c": 0.8}) == {"a": 1, "b": 1, "c": 3}


def test_ranks_follow_the_means_whatever_the_order_of_pairs():
    verdicts = {("c", "b"): "worse", ("a", "b"): "worse", ("c", "a"): "worse"}
    assert places(verdicts, {"a": 0.8, "b": 0.9, "c": 0.7}) == {"b": 1, "a": 2, "c": 3}


def test_what_is_undecided_has_no_rank():
    lone = {("a", "b"): "undecided", ("a", "c"): "undecided", ("b", "c"): "better"}
    assert places(lone, {"a": 0.95, "b": 0.9, "c": 0.8}) == {"a": None, "b": 1, "c": 2}
    assert places({("a", "b"): "undecided"}, {"a": 0.9, "b": 0.8}) == {"a": None, "b": None}
    assert places({}, {"a": 0.9}) == {"a": None}
