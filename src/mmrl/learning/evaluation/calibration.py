"""Calibration of predicted intervals: conformalised quantile regression.

Romano, Patterson and Candès 2019, "Conformalized quantile regression": on posts the model did not
learn from, measure by how much the truth lies outside the predicted interval (negative when it is
inside); widen every interval by that measure's quantile.
"""

import numpy as np

from mmrl.learning.evaluation.record import Calibrated

NOMINAL = 0.8
_COMMON_POSTS = 100  # a community of so many posts is half its own widening, half that of all
_LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def widening(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> float:
    """By how much to move both ends out (in, when negative) so that 80% of truths are covered."""
    outside = np.sort(np.maximum(low - truth, truth - high))
    n = len(outside)
    if n == 0:
        return 0.0
    at = min(n - 1, int(np.ceil((n + 1) * NOMINAL)) - 1)
    return float(outside[at])


def community_widenings(
    low: np.ndarray, high: np.ndarray, truth: np.ndarray, community: np.ndarray
) -> tuple[float, dict[int, float]]:
    """The widening over all posts, and each community's, drawn to it where its posts are few.

    Args:
        community: (n,) a number a post.
    """
    overall = widening(low, high, truth)
    drawn = {}
    for number in np.unique(community):
        own = community == number
        n = int(own.sum())
        own_widening = widening(low[own], high[own], truth[own])
        drawn[int(number)] = (n * own_widening + _COMMON_POSTS * overall) / (n + _COMMON_POSTS)
    return overall, drawn


def widen(
    low: np.ndarray, middle: np.ndarray, high: np.ndarray, by: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both ends moved by `by`, never past the middle."""
    return np.minimum(low - by, middle), np.maximum(high + by, middle)


def calibration(
    low: np.ndarray, middle: np.ndarray, high: np.ndarray, truth: np.ndarray
) -> list[Calibrated]:
    """How many truths lie below each quantile, against how many should.

    Between 10, 50 and 90% the quantiles are those of a normal distribution with its own width on
    either side of the middle.
    """
    from scipy.stats import norm

    unit = norm.ppf(0.9)
    observed = []
    for level in _LEVELS:
        z = norm.ppf(level) / unit
        quantile = middle + z * np.where(z > 0, high - middle, middle - low)
        observed.append(Calibrated(level, float((truth <= quantile).mean())))
    return observed
