"""Statistics of predictions: each a function of how often each test post counts.

The plain value is the one where each post counts once. An interval comes from many resamples at
once: the statistic of B resamples is arithmetic on their (B, posts) counts. Every model is judged
on the same resamples, so differences of models are paired.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from mmrl.learning.evaluation import bootstrap

Statistic = Callable[[np.ndarray], np.ndarray]  # counts (B, n) to values (B,)
CELLS = 2_000_000  # of a (resamples, posts) matrix at once: 16 MB
_HOUR = 3_600_000_000  # in microseconds
_LEAST_PAIRS = 30  # fewer say nothing
_MOST_PAIRS = 20_000
_LEAST_IN_SUBREDDIT = 5


@dataclass(frozen=True)
class Truth:
    """The true values of n test posts.

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
    """A model's predictions of them: log scores, popularity, and an interval if it gives one.

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

    @classmethod
    def joined(cls, several: "Sequence[Predicted]") -> "Predicted":
        """Those of several sets of posts, one after the other; what one lacks is unknown of all."""
        facts = [[getattr(one, each.name) for one in several] for each in fields(cls)]
        return cls(
            *(None if any(part is None for part in of) else np.concatenate(of) for of in facts)
        )


Make = Callable[[Truth, Predicted], Statistic | None]  # None: the predictions don't tell it


def of_order(statistic: Callable[[Truth, np.ndarray], Statistic]) -> Make:
    """A statistic of the posts' order."""

    def make(truth: Truth, predicted: Predicted) -> Statistic | None:
        order = predicted.log_score if predicted.order is None else predicted.order
        return None if order is None else statistic(truth, order)

    return make


def of_log_scores(statistic: Callable[[np.ndarray, np.ndarray], Statistic]) -> Make:
    """A statistic of true and predicted log scores."""
    return lambda truth, predicted: (
        None if predicted.log_score is None else statistic(truth.log_score, predicted.log_score)
    )


def of_popularity(statistic: Callable[[np.ndarray, np.ndarray], Statistic]) -> Make:
    """A statistic of true and predicted popularity."""
    return lambda truth, predicted: (
        None if predicted.popularity is None else statistic(truth.popularity, predicted.popularity)
    )


def of_interval(values: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Make:
    """The mean of a function of true log scores and the predicted interval's low and high ends."""

    def make(truth: Truth, predicted: Predicted) -> Statistic | None:
        if predicted.low is None or predicted.high is None:
            return None
        each = values(truth.log_score, predicted.low, predicted.high)
        return lambda counts: bootstrap.mean(each, counts)

    return make


def mean_absolute_error(true: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Mean of |error|."""
    known, error = _errors(true, predicted)
    return lambda counts: bootstrap.mean(np.abs(error), counts[:, known])


def mean_squared_error(true: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Mean of error squared."""
    known, error = _errors(true, predicted)
    return lambda counts: bootstrap.mean(error**2, counts[:, known])


def root_mean_squared_error(true: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Root of the mean squared error."""
    squared = mean_squared_error(true, predicted)
    return lambda counts: np.sqrt(squared(counts))


def mean_relative_error(true: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Mean of |error| / truth, over posts whose truth is not 0."""
    known, _ = _errors(true, predicted)
    nonzero = known & (np.nan_to_num(true) != 0)
    relative = np.abs(true[nonzero] - predicted[nonzero]) / np.abs(true[nonzero])
    return lambda counts: bootstrap.mean(relative, counts[:, nonzero])


def explained_variance(true: np.ndarray, predicted: np.ndarray) -> Statistic:
    """R²: 1 - sum of squared errors / sum of squares about the mean; NaN where truths are alike."""
    known, error = _errors(true, predicted)
    truths = true[known]

    def r2(counts: np.ndarray) -> np.ndarray:
        c = counts[:, known]
        about_mean = bootstrap.mean(truths**2, c) - bootstrap.mean(truths, c) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            explained = 1.0 - bootstrap.mean(error**2, c) / about_mean
        return np.asarray(np.where(about_mean > 1e-12, explained, np.nan))

    return r2


def spearman(truth: Truth, order: np.ndarray) -> Statistic:
    """Pearson correlation of ranks, ties sharing their mean rank (Spearman 1904)."""
    return lambda counts: _spearman(order, truth.log_score, counts)


def within_subreddits(truth: Truth, order: np.ndarray) -> Statistic:
    """Spearman within each subreddit, averaged with its number of posts as weight."""
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
            correlation = _spearman(order[rows], truth.log_score[rows], here)
            size = here.sum(axis=1, dtype=np.float64) * np.isfinite(correlation)
            total += np.nan_to_num(correlation) * size
            weight += size
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(total / weight)

    return statistic


def pair_accuracy(truth: Truth, order: np.ndarray) -> Statistic:
    """How often the one of a pair with the higher prediction scored more; equal ones count half."""
    one, other = pairs_within_an_hour(truth)
    right = np.sign(order[one] - order[other]) * np.sign(
        truth.log_score[one] - truth.log_score[other]
    )
    correct = (right + 1) / 2

    def statistic(counts: np.ndarray) -> np.ndarray:
        if len(one) < _LEAST_PAIRS:
            return np.full(len(counts), np.nan)
        hits, total = np.zeros(len(counts)), np.zeros(len(counts))
        step = max(1, CELLS // len(counts))
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

    Of more than 20,000 pairs, every second, third or later one is kept, so that at most 20,000 are
    left.
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


def _errors(true: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which posts (n, bool) have both values, and the errors of those."""
    known = np.isfinite(true) & np.isfinite(predicted)
    return known, true[known] - predicted[known]


def _spearman(order: np.ndarray, true: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Spearman correlations; 0 for a model that tells no post apart: it has found no order."""
    correlation = bootstrap.spearman(order, true, counts)
    return np.nan_to_num(correlation) if np.unique(true).size > 1 else correlation
