"""How good predictions are, each metric with a bootstrap interval over the test posts.

    spearman          Pearson correlation of ranks, ties sharing their mean rank (Spearman 1904)
    spearman_within   the same within each subreddit, averaged with its number of posts as weight
    pair_accuracy     over pairs of one subreddit posted within an hour of each other, how often
                      the one with the higher prediction scored more; equal predictions count half
    mae_log, rmse_log mean absolute, root mean squared error of log1p(score)
    r2_log            1 - sum of squared errors / sum of squares about the mean, of log1p(score)
    mae, mse, rmse,   of popularity = score / subscribers * 1000, where subscribers are known;
    r2, mape          mape, mean of |error| / truth, over posts whose popularity is not 0
    coverage_80       share of posts inside the 10 to 90% interval
    width_80          mean width of that interval, in the units of log1p(score)

A metric is `{"value", "low", "high"}`, or None where the posts don't allow it. Each is a function
of how often each post counts, so that the plain value is the one where each counts once, and an
interval comes from 1,000 resamples at once; the same resamples for every model, so differences of
models are paired.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mmrl.learning.evaluation import bootstrap

Metric = dict[str, float] | None
_HOUR = 3_600_000_000  # in microseconds
_LEAST_PAIRS = 30  # fewer say nothing
_MOST_PAIRS = 20_000
_LEAST_IN_SUBREDDIT = 5
_CELLS = 2_000_000  # of a (resamples, posts) matrix at once: 16 MB


@dataclass(frozen=True)
class Truth:
    """What became of n test posts.

    Attributes:
        log_score, popularity: (n,); popularity is NaN where subscribers are unknown.
        subreddit: (n,) a number a subreddit.
        created: (n,) microseconds.
    """

    log_score: np.ndarray
    popularity: np.ndarray
    subreddit: np.ndarray
    created: np.ndarray

    def take(self, rows: np.ndarray) -> "Truth":
        """Some of the posts."""
        return Truth(
            self.log_score[rows], self.popularity[rows], self.subreddit[rows], self.created[rows]
        )


@dataclass(frozen=True)
class Predicted:
    """What a model said of them: log scores, popularity, and an interval if it gives one.

    Attributes:
        order: what ranks the posts, if it is not the log score (a predicted percentile, say);
            metrics in log units are then unknown.
    """

    log_score: np.ndarray | None
    popularity: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    order: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "Predicted":
        """Some of the posts."""
        parts = (self.log_score, self.popularity, self.low, self.high, self.order)
        return Predicted(*(None if part is None else part[rows] for part in parts))


@dataclass
class Judged:
    """Metrics, and the resampled values they were made from, for paired differences."""

    metrics: dict[str, Metric]
    resampled: dict[str, np.ndarray] = field(default_factory=dict)


def judge(truth: Truth, predicted: Predicted, resamples: int, seed: int) -> Judged:
    """All metrics of one model on n posts.

    Args:
        resamples: for the intervals; 0 leaves them out (`low` and `high` are then the value).
    """
    n = len(truth.log_score)
    statistics = _statistics(truth, predicted)
    values = {name: _value(make, n) for name, make in statistics.items()}
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in values}
    if resamples and n:
        at_once = max(1, min(resamples, _CELLS // n))
        for block, start in enumerate(range(0, resamples, at_once)):
            counts = bootstrap.draw(n, min(at_once, resamples - start), seed + 7919 * block)
            for name, value in values.items():
                if value is not None:
                    drawn[name].append(statistics[name](counts))
    resampled = {name: np.concatenate(parts) for name, parts in drawn.items() if parts}
    metrics = {
        name: None if value is None else interval(value, resampled.get(name))
        for name, value in values.items()
    }
    return Judged(metrics, resampled)


def interval(value: float, resampled: np.ndarray | None) -> dict[str, float]:
    """A value with its 95% percentile interval."""
    if resampled is None or not np.isfinite(resampled).any():
        return {"value": value, "low": value, "high": value}
    low, high = np.nanpercentile(resampled, [bootstrap.LOW, bootstrap.HIGH])
    return {"value": value, "low": float(low), "high": float(high)}


def difference(one: Judged, other: Judged, name: str) -> Metric:
    """One model's metric minus another's on the same resamples of the same posts."""
    a, b = one.metrics.get(name), other.metrics.get(name)
    if a is None or b is None:
        return None
    value = a["value"] - b["value"]
    if name not in one.resampled or name not in other.resampled:
        return {"value": value, "low": value, "high": value}
    return interval(value, one.resampled[name] - other.resampled[name])


def _value(make: Callable[[np.ndarray], np.ndarray], n: int) -> float | None:
    if n < 2:
        return None
    value = float(make(np.ones((1, n), np.float32))[0])
    return value if np.isfinite(value) else None


Statistic = Callable[[np.ndarray], np.ndarray]  # counts (B, n) to values (B,)


def _statistics(truth: Truth, predicted: Predicted) -> dict[str, Statistic]:
    order = predicted.log_score if predicted.order is None else predicted.order
    found: dict[str, Statistic] = {}
    if order is not None:
        ranking = order
        found["spearman"] = lambda c: _spearman(ranking, truth.log_score, c)
        found["spearman_within"] = _within(truth, ranking)
        found["pair_accuracy"] = _pairs(truth, ranking)
    if predicted.log_score is not None:
        found |= _errors(truth.log_score, predicted.log_score, "_log", ("mae", "rmse", "r2"))
    if predicted.popularity is not None:
        found |= _errors(
            truth.popularity, predicted.popularity, "", ("mae", "mse", "rmse", "r2", "mape")
        )
    if predicted.low is not None and predicted.high is not None:
        inside = (truth.log_score >= predicted.low) & (truth.log_score <= predicted.high)
        width = predicted.high - predicted.low
        found["coverage_80"] = lambda c: bootstrap.mean(inside.astype(float), c)
        found["width_80"] = lambda c: bootstrap.mean(width, c)
    return found


def _errors(
    truth: np.ndarray, predicted: np.ndarray, ending: str, names: tuple[str, ...]
) -> dict[str, Statistic]:
    known = np.isfinite(truth) & np.isfinite(predicted)
    true, error = truth[known], truth[known] - predicted[known]
    nonzero = known & (np.nan_to_num(truth) != 0)
    relative = np.abs(truth[nonzero] - predicted[nonzero]) / np.abs(truth[nonzero])

    def r2(counts: np.ndarray) -> np.ndarray:
        c = counts[:, known]
        about_mean = bootstrap.mean(true**2, c) - bootstrap.mean(true, c) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            explained = 1.0 - bootstrap.mean(error**2, c) / about_mean
        return np.asarray(np.where(about_mean > 1e-12, explained, np.nan))

    made: dict[str, Statistic] = {
        "mae": lambda c: bootstrap.mean(np.abs(error), c[:, known]),
        "mse": lambda c: bootstrap.mean(error**2, c[:, known]),
        "rmse": lambda c: np.sqrt(bootstrap.mean(error**2, c[:, known])),
        "r2": r2,
        "mape": lambda c: bootstrap.mean(relative, c[:, nonzero]),
    }
    return {name + ending: made[name] for name in names}


def _spearman(order: np.ndarray, true: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Spearman correlations; 0 for a model that tells no post apart: it has found no order."""
    found = bootstrap.spearman(order, true, counts)
    return np.nan_to_num(found) if np.unique(true).size > 1 else found


def _within(truth: Truth, order: np.ndarray) -> Statistic:
    numbers, sizes = np.unique(truth.subreddit, return_counts=True)
    groups = [
        np.flatnonzero(truth.subreddit == number)
        for number, size in zip(numbers, sizes, strict=True)
        if size >= _LEAST_IN_SUBREDDIT
    ]

    def statistic(counts: np.ndarray) -> np.ndarray:
        total, weight = np.zeros(len(counts)), np.zeros(len(counts))
        for rows in groups:
            here = counts[:, rows]
            found = _spearman(order[rows], truth.log_score[rows], here)
            size = here.sum(axis=1, dtype=np.float64) * np.isfinite(found)
            total += np.nan_to_num(found) * size
            weight += size
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(total / weight)

    return statistic


def _pairs(truth: Truth, order: np.ndarray) -> Statistic:
    one, other = pairs_within_an_hour(truth)
    right = np.sign(order[one] - order[other]) * np.sign(
        truth.log_score[one] - truth.log_score[other]
    )
    correct = (right + 1) / 2

    def statistic(counts: np.ndarray) -> np.ndarray:
        if len(one) < _LEAST_PAIRS:
            return np.full(len(counts), np.nan)
        hits, total = np.zeros(len(counts)), np.zeros(len(counts))
        step = max(1, _CELLS // len(counts))
        for start in range(0, len(one), step):
            part = slice(start, start + step)
            both = counts[:, one[part]] * counts[:, other[part]]
            hits += both @ correct[part]
            total += both.sum(axis=1, dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(hits / total)

    return statistic


def pairs_within_an_hour(truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of pairs of one subreddit, at most an hour apart, with unequal scores.

    Of more than 20,000 pairs, every so-manieth is kept.
    """
    order = np.lexsort((truth.created, truth.subreddit))
    one: list[np.ndarray] = []
    other: list[np.ndarray] = []
    for step in range(1, len(order)):
        a, b = order[:-step], order[step:]
        close = (truth.subreddit[a] == truth.subreddit[b]) & (
            truth.created[b] - truth.created[a] <= _HOUR
        )
        if not close.any():
            break
        unequal = close & (truth.log_score[a] != truth.log_score[b])
        one.append(a[unequal])
        other.append(b[unequal])
    if not one:
        return np.zeros(0, int), np.zeros(0, int)
    first, second = np.concatenate(one), np.concatenate(other)
    every = -(-len(first) // _MOST_PAIRS) or 1
    return first[::every], second[::every]
