"""Widenings: intervals cover four truths in five, by what was known at their moment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.learning.evaluation.calibration import widen, widenings

truth = st.tuples(st.integers(0, 60), st.integers(0, 2), st.floats(-3, 3))


def of_rows(rows: list[tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    known, community, outside = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(outside, float), np.array(known, np.int64), one_kind(np.array(community, int))


def one_kind(groups: np.ndarray) -> np.ndarray:
    return groups[:, None]


@given(st.lists(truth, max_size=30), st.lists(truth, max_size=30), st.integers(0, 60))
def test_truths_that_come_later_change_nothing(
    rows: list[tuple[int, int, float]], future: list[tuple[int, int, float]], moment: int
) -> None:
    earlier = [row for row in rows if row[0] <= moment]
    later = [(moment + 1 + known, community, outside) for known, community, outside in future]
    asked = one_kind(np.array([0, 1, 2])), np.full(3, moment, np.int64)
    assert widenings(*of_rows([*later, *earlier]), *asked).tolist() == pytest.approx(
        widenings(*of_rows(earlier), *asked).tolist()
    )


@pytest.mark.parametrize("width", [0.1, 5.0])
def test_an_interval_covers_four_in_five_whatever_it_started_from(width: float) -> None:
    rng = np.random.default_rng(4)
    truths = rng.standard_t(3, 4_000)
    known = np.arange(4_000, dtype=np.int64)
    low, middle, high = (np.full(4_000, value) for value in (-width, 0.0, width))
    outside = np.maximum(low - truths, truths - high)
    alike = np.zeros((4_000, 0), int)
    wide = widenings(outside, known, alike, alike, known - 1)
    low, high = widen(low, middle, high, wide)
    covered = (truths >= low) & (truths <= high)
    assert covered[500:].mean() == pytest.approx(0.8, abs=0.03)


def test_intervals_follow_a_spread_that_grows() -> None:
    rng = np.random.default_rng(5)
    spread = np.where(np.arange(6_000) < 3_000, 1.0, 3.0)
    truths = rng.normal(0, spread)
    known = np.arange(6_000, dtype=np.int64)
    outside = np.abs(truths) - 1.0
    alike = np.zeros((6_000, 0), int)
    wide = widenings(outside, known, alike, alike, known - 1)
    covered = np.abs(truths) <= 1.0 + wide
    assert covered[1_000:3_000].mean() == pytest.approx(0.8, abs=0.04)
    assert covered[4_500:].mean() == pytest.approx(0.8, abs=0.04)


def test_a_community_with_many_posts_has_a_widening_of_its_own_and_a_new_one_that_of_all() -> None:
    rng = np.random.default_rng(6)
    community = np.arange(4_000) % 2
    outside = np.abs(rng.normal(0, np.where(community == 1, 3.0, 1.0)))
    known, moments = np.arange(4_000, dtype=np.int64), np.full(3, 5_000, np.int64)
    asked = one_kind(np.array([0, 1, 2]))
    calm, wild, new = widenings(outside, known, one_kind(community), asked, moments)
    assert calm < new < wild
    assert calm == pytest.approx(1.28, abs=0.25)
    assert wild == pytest.approx(3 * 1.28, abs=0.4)


def test_groups_of_two_kinds_each_add_what_is_their_own() -> None:
    rng = np.random.default_rng(7)
    groups = rng.integers(0, 2, (8_000, 2))
    spread = np.where(groups[:, 0] == 1, 2.0, 1.0) * np.where(groups[:, 1] == 1, 1.5, 1.0)
    truths, known = rng.normal(0, spread), np.arange(8_000, dtype=np.int64)
    wide = widenings(np.abs(truths) - 1.0, known, groups, groups, known - 1)
    covered = np.abs(truths) <= 1.0 + wide
    for number in range(4):
        here = (groups[:, 0] * 2 + groups[:, 1] == number) & (known > 3_000)
        assert covered[here].mean() == pytest.approx(0.8, abs=0.06), number
