"""Calibration of predicted intervals: conformalised quantile regression.

Romano, Patterson and Candès 2019, "Conformalized quantile regression": on posts the model did not
learn from, measure by how much the truth lies outside the predicted interval (negative when it is
inside); widen every interval by that measure's quantile.
"""

from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Sequence

import numpy as np

from mmrl.learning.evaluation.record import Calibrated

NOMINAL = 0.8
_NEWEST_POSTS = 1_000  # of all communities, and of one
_COMMON_POSTS = 100  # a group of so many posts is half its own widening, half that of all
_LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def widening(ordered: Sequence[float]) -> float:
    """By how much to move both ends out (in, when negative) so that 80% of truths are covered.

    Args:
        ordered: by how much each of n truths lay outside its interval, the smallest first.
    """
    n = len(ordered)
    if n == 0:
        return 0.0
    return ordered[min(n - 1, int(np.ceil((n + 1) * NOMINAL)) - 1)]


def widenings(
    outside: np.ndarray,
    known: np.ndarray,
    groups: np.ndarray,
    asked: np.ndarray,
    moments: np.ndarray,
) -> np.ndarray:
    """The widening of q intervals, (q,), each by the newest truths that were known at its moment:
    that of all of them, and by how much each of its groups' own differs from it, drawn to 0 where
    the group's truths are few.

    Args:
        outside: (n,) by how much each truth lay outside its interval.
        known: (n,) int64, from when on each truth was known.
        groups: (n, k) the groups of each truth, a number of each of k kinds (its community...).
        asked: (q, k) the intervals' groups.
        moments: (q,) int64.
    """
    every, own = _Newest(), defaultdict[tuple[int, int], _Newest](_Newest)
    wide, arrived, in_order = np.zeros(len(moments)), 0, np.argsort(known, kind="stable")
    for row in np.argsort(moments, kind="stable"):
        while arrived < len(in_order) and known[in_order[arrived]] <= moments[row]:
            truth = in_order[arrived]
            every.add(float(outside[truth]))
            for group in enumerate(groups[truth].tolist()):
                own[group].add(float(outside[truth]))
            arrived += 1
        of_all = widening(every.ordered)
        wide[row] = of_all
        for group in enumerate(asked[row].tolist()):
            here = own[group].ordered
            share = len(here) / (len(here) + _COMMON_POSTS)
            wide[row] += share * (widening(here) - of_all)
    return wide


class _Newest:
    """The newest values, in order of size."""

    def __init__(self) -> None:
        self.ordered: list[float] = []
        self._arrived: deque[float] = deque()

    def add(self, value: float) -> None:
        insort(self.ordered, value)
        self._arrived.append(value)
        if len(self._arrived) > _NEWEST_POSTS:
            del self.ordered[bisect_left(self.ordered, self._arrived.popleft())]


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
