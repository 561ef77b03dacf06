"""Unit of a model's quantiles, and how a value in it is written for people."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_SCORES = (0, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000)


@dataclass(frozen=True)
class Unit:
    """A unit of predictions.

    Attributes:
        truth: the column of the test predictions that holds the true value.
        name: what is predicted.
        axis: the same, as a plot's axis names it.
        says: a value in words.
        miss: how far off a prediction is, from true minus predicted.
        ticks: round values where axes may have ticks.
    """

    truth: str
    name: str
    axis: str
    says: Callable[[float], str]
    miss: Callable[[float], str]
    ticks: Sequence[float]


SCORE = Unit(
    truth="log_score",
    name="score",
    axis="score, log scale",
    says=lambda log_score: f"{round(math.expm1(max(log_score, 0.0))):,}",
    miss=lambda error: f"a factor of {math.exp(abs(error)):,.1f}",
    ticks=[math.log1p(score) for score in _SCORES],
)
PERCENTILE = Unit(
    truth="percentile",
    name="percentile",
    axis="percentile in the subreddit",
    says=lambda percentile: f"{100 * percentile:.0f}%",
    miss=lambda error: f"{100 * abs(error):.0f} percentage points",
    ticks=[tenth / 10 for tenth in range(0, 11, 2)],
)


def unit_of(target: str) -> Unit:
    """The unit of a target's quantiles; only a percentile can't be turned into a score."""
    return PERCENTILE if target == "percentile" else SCORE
