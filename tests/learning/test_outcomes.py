"""Level: the newest errors move the predictions after them, and no later one does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.learning.outcomes import LevelOf, Outcomes, choose_level, follow, levels

CHOICES: tuple[LevelOf, ...] = ("all", "own")
LEARNED_FROM = 2  # subreddits: numbers 1 and 2
HOUR = 3_600_000_000  # in microseconds; each post has one of its own
DELAY = 5  # hours from when a post went up until its label was known
error = st.tuples(st.integers(0, 50), st.integers(1, 3), st.floats(-5, 5))


def as_errors(rows: list[tuple[int, int, float]]) -> Outcomes:
    known, subreddit, wrong = zip(*rows, strict=True) if rows else ((), (), ())
    return errors(np.array(known, np.int64), np.array(subreddit, np.int64), np.array(wrong, float))


def errors(known: np.ndarray, subreddit: np.ndarray, error: np.ndarray) -> Outcomes:
    """Outcomes that were known at these hours."""
    authors, ends = np.zeros(len(error), int), np.ones(len(error))
    created = (known - DELAY) * HOUR
    return Outcomes(created, known * HOUR, subreddit, authors, error, ends, ends)


@given(
    st.lists(error, max_size=30),
    st.lists(error, max_size=30),
    st.integers(0, 50),
    st.sampled_from(CHOICES),
)
def test_errors_that_come_later_change_nothing(
    rows: list[tuple[int, int, float]],
    future: list[tuple[int, int, float]],
    moment: int,
    of: LevelOf,
) -> None:
    later = [(moment + 1 + known, subreddit, wrong) for known, subreddit, wrong in future]
    earlier = [row for row in rows if row[0] <= moment]
    asked = np.array([1, 2, 3]), np.full(3, moment * HOUR, np.int64)
    with_future = levels(as_errors([*later, *earlier]), *asked, of, LEARNED_FROM)
    without = levels(as_errors(earlier), *asked, of, LEARNED_FROM)
    assert with_future == pytest.approx(without, abs=1e-9)


def test_few_errors_move_the_level_little_and_many_wholly() -> None:
    def level(n: int) -> float:
        outcomes = as_errors([(i, 1, 1.0) for i in range(n)])
        asked = np.array([1]), np.array([10_000 * HOUR])
        return float(levels(outcomes, *asked, "all", LEARNED_FROM)[0])

    assert level(0) == 0
    assert 0 < level(2) < 0.2
    assert level(1_000) > 0.9


@pytest.mark.parametrize("an_hour", [20, 2])
def test_where_days_of_the_week_differ_the_errors_of_a_week_count(an_hour: int) -> None:
    created = np.arange(56 * 24 * an_hour) * HOUR // an_hour
    error = np.where(created // (24 * HOUR) % 7 == 5, 7.0, 0.0)  # the day that is known last
    asked = np.array([1]), created[-1:]
    assert levels(later(created, error), *asked, "all", LEARNED_FROM) == pytest.approx(1, abs=0.1)


def test_where_the_level_moves_within_a_week_the_newest_errors_count() -> None:
    created = np.arange(56 * 24 * 20) * HOUR // 20
    error = np.sin(2 * np.pi * created / (20 * 24 * HOUR))
    asked = np.ones(9_600, np.int64), created[-9_600:]
    left = error[-9_600:] - levels(later(created, error), *asked, "all", LEARNED_FROM)
    assert np.std(left) < 0.7 * np.std(error[-9_600:])  # a week's mean makes it worse


def later(created: np.ndarray, error: np.ndarray) -> Outcomes:
    """Outcomes of one subreddit that were known 36 hours after each post went up."""
    ones, ends = np.ones(len(created), np.int64), np.zeros(len(created))
    return Outcomes(created, created + 36 * HOUR, ones, ones * 0, error, ends, ends)


def test_a_subreddit_has_a_level_of_its_own_where_that_was_chosen_or_is_beyond_chance() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 200).repeat(2)  # the same of both subreddits
    asked = np.array([1, 2]), np.full(2, 1_000 * HOUR, np.int64)
    known = np.arange(400)

    def difference(apart: float, of: LevelOf) -> float:
        outcomes = errors(known, 1 + known % 2, noise + np.where(known % 2, -apart, apart))
        one, other = levels(outcomes, *asked, of, LEARNED_FROM)
        return float(one - other)

    assert difference(0.15, "own") == pytest.approx(0.3, abs=0.05)
    assert difference(0.15, "all") == pytest.approx(0, abs=0.05)
    assert difference(2.0, "all") == pytest.approx(4, abs=0.8)


@pytest.mark.parametrize("drift", [0.0, 3.0])
def test_where_there_is_one_subreddit_nothing_is_its_own(drift: float) -> None:
    known, ones = np.arange(2_000), np.ones(2_000, np.int64)
    error = np.random.default_rng(0).normal(0, 1, 2_000) + drift * np.sin(known / 150)
    outcomes, moments = errors(known, ones, error), known * HOUR
    own = levels(outcomes, ones, moments, "all", LEARNED_FROM)
    assert own == pytest.approx(levels(outcomes, 2 * ones, moments, "all", LEARNED_FROM))


def test_a_newcomer_is_corrected_by_its_own_outcomes_whatever_was_chosen() -> None:
    newcomer = LEARNED_FROM + 1
    rows = [(i, [1, newcomer][i % 2], [0.0, [-0.3, 0.3][i // 2 % 2] - 1][i % 2]) for i in range(60)]
    asked = np.array([newcomer, 1]), np.full(2, 1_000 * HOUR)
    chosen = {of: levels(as_errors(rows), *asked, of, LEARNED_FROM) for of in CHOICES}
    assert chosen["all"][0] == chosen["own"][0] == pytest.approx(-0.7, abs=0.15)  # of a mean of -1


@pytest.mark.parametrize("of", CHOICES)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_of_thousands_of_errors_those_that_come_later_change_nothing(
    of: LevelOf, share: float
) -> None:
    rng = np.random.default_rng(0)
    created = np.sort(rng.integers(0, 60 * 24 * HOUR, 3_000))
    known = created + rng.integers(24 * HOUR, 15 * 24 * HOUR, 3_000)  # some a fortnight late
    error = rng.normal(0, 1, 3_000) + np.sin(created / (24 * HOUR))
    subreddit, none = rng.integers(1, 4, 3_000), np.zeros(3_000)
    outcomes = Outcomes(created, known, subreddit, none.astype(int), error, none, none)
    moment = int(np.quantile(created, share))
    then = Outcomes(*(getattr(outcomes, name)[known <= moment] for name in vars(outcomes)))
    asked = np.array([1, 2, 3]), np.full(3, moment)
    with_later = levels(outcomes, *asked, of, LEARNED_FROM)
    assert with_later == pytest.approx(levels(then, *asked, of, LEARNED_FROM), abs=1e-12)


def test_the_choice_is_what_errs_least() -> None:
    rng = np.random.default_rng(0)
    known, subreddit = np.arange(3_000) * 10, 1 + np.arange(3_000) % 2
    noise = rng.normal(0, 1, 3_000)
    assert choose_level(errors(known, subreddit, noise), LEARNED_FROM) == "all"
    assert choose_level(errors(known, subreddit, noise + 1), LEARNED_FROM) == "all"
    apart = noise + np.where(subreddit == 1, 2.0, -2.0)
    assert choose_level(errors(known, subreddit, apart), LEARNED_FROM) == "own"


def test_errors_of_fits_before_the_validation_posts_were_learned_move_no_level() -> None:
    rng = np.random.default_rng(0)
    moments, ones = np.arange(300, dtype=np.int64), np.ones(300, np.int64)
    before = errors(moments, ones, rng.normal(-3, 1, 300))
    learned = errors(moments, ones, rng.normal(0, 0.5, 300))
    tested = errors(1_000 + moments, ones, rng.normal(0.5, 1, 300))
    asked = np.ones(3, np.int64), np.zeros(3, np.int64), np.array([999, 1_100, 1_300]) * HOUR
    level, _ = follow(before, learned, tested, "all", LEARNED_FROM)(*asked)
    assert level == pytest.approx([0, 0.25, 0.5], abs=0.25)


def test_an_interval_is_as_wide_as_a_models_own_outcomes_say_once_they_are_enough() -> None:
    moments, ones = np.arange(400, dtype=np.int64), np.ones(400, np.int64)
    wide, narrow = np.tile([9.0, -9.0], 200), np.tile([2.0, -2.0], 200)
    before, learned = errors(moments, ones, wide), errors(moments, ones, narrow)
    tested = errors(1_000 + moments, ones, narrow)
    asked = np.ones(3, np.int64), np.zeros(3, np.int64), np.array([999, 1_150, 1_250]) * HOUR
    _, widening = follow(before, learned, tested, "all", LEARNED_FROM)(*asked)
    assert widening == pytest.approx([8, 8, 1], abs=0.1)


def test_intervals_cover_where_the_level_moves_before_outcomes_are_known() -> None:
    rng = np.random.default_rng(0)
    hours, ones = np.arange(3_000, dtype=np.int64), np.ones(3_000, np.int64)
    drift = rng.normal(0, 1, 3_000) + 3 * np.sin(hours / 150)
    ends = np.zeros(3_000)
    tested = Outcomes(hours * HOUR, (hours + 48) * HOUR, ones, ones * 0, drift, ends, ends)
    few = Outcomes(*(getattr(tested, name)[:5] for name in vars(tested)))
    level, wide = follow(few, few, tested, "all", LEARNED_FROM)(ones, ones * 0, hours * HOUR)
    covered = np.abs(drift - level)[500:] <= wide[500:]
    assert covered.mean() > 0.72  # 0.6 where levels were taken when outcomes were known
