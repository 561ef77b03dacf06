"""Comparison of two drafts by their distributions."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from mmrl.catalog.columns import TIME
from mmrl.errors import InputError
from mmrl.samples.history import History, Matured, Standings
from mmrl.serving.prediction import Interval
from mmrl.serving.ranks.compare import compare, shared_error
from mmrl.serving.ranks.ranking import Ranked
from mmrl.serving.ranks.spread import Spread, chance_above, deviations_from, value_at

NOW = datetime(2026, 9, 1, tzinfo=UTC)
Z90 = norm.ppf(0.9)
middles = st.floats(0, 8)
widths = st.floats(0.05, 2)


def standings(highest: dict[str, int]) -> Standings:
    """Of subreddits with 20 matured posts each, of scores from 0 up."""
    created = [NOW - timedelta(days=day + 3) for day in range(20)]
    parts = [
        pa.table(
            {
                "subreddit": [name] * 20,
                "author_id": pa.nulls(20, pa.string()),
                "created_at": pa.array(created, TIME),
                "first_look_at": pa.array(created, TIME),
                "label_observed_at": pa.array([at + timedelta(days=2) for at in created], TIME),
                "score": pa.array(np.linspace(0, most, 20).astype(int)),
            }
        )
        for name, most in highest.items()
    ]
    return History(Matured.of(pa.concat_tables(parts), timedelta(hours=36))).standings(
        timedelta(days=90)
    )


STANDINGS = standings({"small": 20, "large": 2_000})


def draft(
    middle: float, width: float = 0.5, subreddit: str = "small", above: float | None = None
) -> Ranked:
    """A draft's prediction; its interval reaches `above` the middle if not as far as below."""
    spread = Spread(middle - width, middle, middle + (above or width), "log_score")
    known = Interval(0, 0.5, 1) if subreddit != "unknown" else None
    return Ranked(
        *(1, 0, 0, 0, "a.jpg", "", "A", subreddit, NOW, known, None, None, None, None, ()), spread
    )


@given(middles, widths, middles, widths)
def test_in_one_subreddit_the_chance_is_that_of_the_difference_of_two_normal_variables(
    one: float, one_width: float, other: float, other_width: float
) -> None:
    found = compare(draft(one, one_width), draft(other, other_width), STANDINGS, 0.0)
    deviation = np.hypot(one_width, other_width) / Z90
    assert found.first_better == pytest.approx(norm.cdf((one - other) / deviation), abs=0.02)
    assert found.by == "score"
    back = compare(draft(other, other_width), draft(one, one_width), STANDINGS, 0.0)
    assert found.first_better + back.first_better == pytest.approx(1, abs=0.02)


def test_an_error_that_both_share_makes_the_better_one_surer() -> None:
    one, other = draft(4.2), draft(4.0)
    apart, together = (compare(one, other, STANDINGS, shared) for shared in (0.0, 0.9))
    assert 0.5 < apart.first_better < together.first_better
    difference = 0.5 / Z90 * np.sqrt(2 - 2 * 0.9)
    assert together.first_better == pytest.approx(norm.cdf(0.2 / difference), abs=0.02)


def test_across_subreddits_the_one_that_stands_higher_in_its_own_does_better() -> None:
    small, large = draft(np.log1p(15)), draft(np.log1p(100), subreddit="large")
    assert large.spread.middle > small.spread.middle
    found = compare(small, large, STANDINGS, 0.9)
    assert found.by == "percentile"
    assert found.first_better > 0.9
    assert found.clear
    assert found.sentence.startswith("The first does better")
    assert compare(large, small, STANDINGS, 0.9).sentence.startswith("The second does better")
    unranked = compare(draft(np.log1p(15), subreddit="unknown"), large, STANDINGS, 0.9)
    assert (unranked.by, unranked.first_better < 0.1) == ("score", True)


def test_near_a_half_there_is_no_clear_difference() -> None:
    found = compare(draft(4.0), draft(4.05), STANDINGS, 0.0)
    assert not found.clear
    assert found.sentence.startswith("No clear difference")
    with pytest.raises(InputError, match="tells no score of a draft in r/small"):
        compare(draft(4.0), draft(np.nan), STANDINGS, 0.0)


@given(middles, widths, widths)
def test_a_spread_has_the_quantiles_that_it_is_made_of(
    middle: float, below: float, above: float
) -> None:
    quantiles = np.array([[middle - below, middle, middle + above]])
    for level, share in zip(quantiles[0], (0.9, 0.5, 0.1), strict=True):
        assert chance_above(quantiles, np.array([level]))[0] == pytest.approx(share)
    z = np.array([-2.0, -0.3, 0.0, 1.7])
    values = value_at(quantiles, z)
    assert deviations_from(quantiles.repeat(4, 0), values) == pytest.approx(z, abs=1e-6)


def test_the_shared_error_is_how_much_alike_errors_of_a_subreddit_and_day_are() -> None:
    rng = np.random.default_rng(0)
    days, each = 300, 5
    common = np.repeat(rng.normal(size=days), each)
    for share in (0.0, 0.4):
        error = np.sqrt(share) * common + np.sqrt(1 - share) * rng.normal(size=days * each)
        times = [NOW + timedelta(days=int(day)) for day in np.repeat(np.arange(days), each)]
        test = pa.table(
            {
                "subreddit": ["pics"] * len(error),
                "created_at": pa.array(times, TIME),
                "log_score": 5 + error,
                **{
                    f"q{10 * n}": np.full(len(error), 5 + z)
                    for n, z in ((1, -Z90), (5, 0), (9, Z90))
                },
            }
        )
        assert shared_error(test, "log_score") == pytest.approx(share, abs=0.05)
    assert shared_error(test.slice(0, 20), "log_score") == 0.0
