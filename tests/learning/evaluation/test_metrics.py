"""Metrics agree with SciPy and scikit-learn, and their intervals are honest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmrl.learning.evaluation import bootstrap
from mmrl.learning.evaluation.calibration import calibration
from mmrl.learning.evaluation.judge import difference, judge
from mmrl.learning.evaluation.record import Measure
from mmrl.learning.evaluation.statistics import Predicted, Truth, pairs_within_an_hour

numbers = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=5, max_size=60)
HOUR = 3_600_000_000


def truth_of(values: np.ndarray, subreddit: np.ndarray | None = None) -> Truth:
    n = len(values)
    return Truth(
        values,
        np.expm1(values),
        np.zeros(n, int) if subreddit is None else subreddit,
        np.arange(n) * HOUR // 4,
    )


@settings(max_examples=80)
@given(numbers, st.integers(0, 1000))
def test_ranks_of_a_resample_are_those_of_the_posts_written_out(
    drawn: list[tuple[int, int]], seed: int
) -> None:
    x, y = (np.array(column, float) for column in zip(*drawn, strict=True))
    counts = bootstrap.draw(len(x), 3, seed)
    found = bootstrap.spearman(x, y, counts)
    for row, value in zip(counts.astype(int), found, strict=True):
        one, other = np.repeat(x, row), np.repeat(y, row)
        if len(set(one)) > 1 and len(set(other)) > 1:
            assert value == pytest.approx(stats.spearmanr(one, other).statistic, abs=1e-6)
        else:
            assert np.isnan(value)


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(10, 80))
def test_errors_are_those_of_scikit_learn(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    true, said = rng.gamma(2, 2, n), rng.gamma(2, 2, n)
    found = judge(truth_of(true), Predicted(said, np.expm1(said)), 0, 0).metrics
    values = {name: metric.value for name, metric in found.items() if metric}
    from sklearn import metrics as m

    popular, said_popular = np.expm1(true), np.expm1(said)
    expected = {
        "mae_log": m.mean_absolute_error(true, said),
        "rmse_log": m.root_mean_squared_error(true, said),
        "r2_log": m.r2_score(true, said),
        "mae": m.mean_absolute_error(popular, said_popular),
        "mse": m.mean_squared_error(popular, said_popular),
        "rmse": m.root_mean_squared_error(popular, said_popular),
        "r2": m.r2_score(popular, said_popular),
        "mape": m.mean_absolute_percentage_error(popular, said_popular),
        "spearman": stats.spearmanr(true, said).statistic,
    }
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name


def test_a_model_that_says_the_same_of_all_posts_has_found_no_order() -> None:
    truth = truth_of(np.arange(30.0))
    found = judge(truth, Predicted(np.full(30, 2.0)), 100, 0).metrics["spearman"]
    assert found is not None
    assert found == Measure(0, 0, 0)


def test_within_subreddit_averages_by_the_number_of_posts() -> None:
    rng = np.random.default_rng(0)
    subreddit = np.repeat([0, 1, 2], [60, 30, 10])
    true, said = rng.normal(size=100) + 5 * subreddit, rng.normal(size=100)
    said[:60] += true[:60]
    found = judge(truth_of(true, subreddit), Predicted(said), 0, 0).metrics["spearman_within"]
    by_hand = [
        stats.spearmanr(true[subreddit == g], said[subreddit == g]).statistic for g in range(3)
    ]
    assert found
    assert found.value == pytest.approx(np.average(by_hand, weights=[60, 30, 10]))


def test_knowing_the_subreddit_alone_earns_nothing_within_it() -> None:
    subreddit = np.repeat([0, 1], 50)
    true = np.random.default_rng(0).normal(size=100) + 3 * subreddit
    found = judge(truth_of(true, subreddit), Predicted(subreddit.astype(float)), 200, 0).metrics
    assert found["spearman"]
    assert found["spearman"].value > 0.7
    assert found["spearman_within"] == Measure(0.0, 0.0, 0.0)
    assert found["pair_accuracy"]
    assert found["pair_accuracy"].value == 0.5


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_pairs_are_those_of_one_subreddit_within_an_hour(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    truth = Truth(
        rng.integers(0, 4, n).astype(float),
        np.full(n, np.nan),
        rng.integers(0, 3, n),
        rng.integers(0, 12 * HOUR, n),
    )
    one, other = pairs_within_an_hour(truth)
    found = {frozenset(pair) for pair in zip(one.tolist(), other.tolist(), strict=True)}
    expected = {
        frozenset((i, j))
        for i in range(n)
        for j in range(i)
        if truth.subreddit[i] == truth.subreddit[j]
        and abs(truth.created[i] - truth.created[j]) <= HOUR
        and truth.log_score[i] != truth.log_score[j]
    }
    assert found == expected


def test_too_few_pairs_give_no_accuracy() -> None:
    truth = Truth(np.arange(20.0), np.full(20, np.nan), np.zeros(20, int), np.arange(20) * 9 * HOUR)
    found = judge(truth, Predicted(np.arange(20.0), np.full(20, np.nan)), 100, 0).metrics
    assert found["pair_accuracy"] is None
    assert found["mape"] is None


def test_an_interval_of_spearman_is_as_wide_as_theory_says() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    y = x + rng.normal(size=400)
    found = judge(truth_of(y), Predicted(x), 500, 0).metrics["spearman"]
    assert found
    assert found.low < found.value < found.high
    # Bonett and Wright 2000: the standard error of Fisher's z of a Spearman correlation
    error = np.sqrt((1 + found.value**2 / 2) / (400 - 3))
    width = np.arctanh(found.high) - np.arctanh(found.low)
    assert width == pytest.approx(2 * 1.96 * error, rel=0.25)


def test_a_difference_is_paired_so_that_equal_models_differ_by_nothing() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=200)
    one = judge(truth_of(y), Predicted(y + rng.normal(size=200)), 200, 3)
    assert difference(one, one, "spearman") == Measure(0.0, 0.0, 0.0)
    worse = judge(truth_of(y), Predicted(y + 3 * rng.normal(size=200)), 200, 3)
    found = difference(one, worse, "spearman")
    assert found
    assert 0 < found.low < found.value < found.high


def test_calibration_of_true_quantiles_lies_on_the_diagonal() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(size=20_000)
    ends = stats.norm.ppf(0.9)
    shape = np.ones_like(truth)
    for point in calibration(-ends * shape, 0 * shape, ends * shape, truth):
        assert point.observed == pytest.approx(point.nominal, abs=0.015)
