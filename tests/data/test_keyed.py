"""Keyed randomness: equal keys draw equally, other keys independently, and the numbers never change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nablab.data import keyed

#: The first draws of the order of the training set under split_seed 0, for rows 0, 1 and 59,999.
FROZEN = [
    [0.7512119341961041, 0.9059667850647035],
    [0.40119371563491246, 0.1584753768484335],
    [0.5092631636218858, 0.0035084459333686313],
]

KEYS = [
    (0, "order", 0),
    (1, "order", 0),
    (0, "dropout", 0),
    (0, "order", 1),
    (0, "order"),
    (0, "order", 0, 0),
]


def test_mixing_is_splitmix64() -> None:
    # The first outputs for the seed 1234567, as published with other implementations of the algorithm.
    states = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert keyed._mix(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_generators_differ_by_every_part_of_the_key_and_agree_on_equal_keys() -> None:
    draws = [tuple(keyed.generator(*key).integers(2**63, size=4)) for key in KEYS]
    assert len(set(draws)) == len(KEYS)
    assert draws == [tuple(keyed.generator(*key).integers(2**63, size=4)) for key in KEYS]


def test_numbers_are_the_same_in_every_version() -> None:
    # The slice that ships was cut along these; if they change, it is no longer the first tenth of the order.
    drawn = keyed.uniforms(0, "order of the training set", 0, [0, 1, 59_999], 2)
    np.testing.assert_allclose(drawn, FROZEN, rtol=0, atol=1e-16)


@given(
    st.integers(0, 2**64),
    st.lists(st.integers(0, 2**40), min_size=1, max_size=20),
    st.integers(1, 9),
    st.data(),
)
def test_a_row_depends_on_its_own_position_only(
    seed: int, positions: list[int], count: int, data: st.DataObject
) -> None:
    together = keyed.uniforms(seed, "augment", 2, positions, count)
    pick = data.draw(st.integers(0, len(positions) - 1))
    alone = keyed.uniforms(seed, "augment", 2, [positions[pick]], count + 3)
    assert together.shape == (len(positions), count)
    np.testing.assert_array_equal(together[pick], alone[0, :count])


@pytest.mark.parametrize("other", [(1, "a", 0), (0, "b", 0), (0, "a", 1)])
def test_rows_are_uniform_and_independent(other: tuple[int, str, int]) -> None:
    positions = np.arange(20_000)
    drawn = keyed.uniforms(0, "a", 0, positions, 3)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert stats.kstest(drawn.ravel(), "uniform").pvalue > 1e-4
    against = keyed.uniforms(*other, positions, 3)
    columns = [*drawn.T, np.roll(drawn[:, 0], 1), *against.T]
    correlation = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(correlation).max() < 5 / np.sqrt(len(positions))


def test_numpy_whole_numbers_are_keys_too() -> None:
    plain = keyed.generator(3, "order", 1).random()
    assert keyed.generator(np.int64(3), "order", np.int32(1)).random() == plain  # type: ignore[arg-type]
