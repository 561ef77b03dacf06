"""Counts of earlier events: sorted by group and time, and how many are below a value.

Both answer for many questions at once with a few sorted arrays, so that 100,000 posts cost a
fraction of a second.
"""

import numpy as np


class Events:
    """Events sorted by (group, time).

    Attributes:
        order: the events' numbers in sorted order; use it to sort what belongs to them.
    """

    def __init__(self, groups: np.ndarray, times: np.ndarray) -> None:
        """Sorts n events.

        Args:
            groups: (n,) small whole numbers, 0 or more.
            times: (n,) int64.
        """
        self.order = np.lexsort((times, groups))
        self._times = np.unique(times)
        # (group, rank of time) as one number, which numpy can search for.
        self._step = len(self._times) + 1
        ranks = np.searchsorted(self._times, times[self.order])
        self._keys = groups[self.order].astype(np.int64) * self._step + ranks

    def until(self, groups: np.ndarray, times: np.ndarray, inclusive: bool = True) -> np.ndarray:
        """For q questions, where in `order` the group's events up to a time end, (q,)."""
        ranks = np.searchsorted(self._times, times, side="right" if inclusive else "left")
        return np.searchsorted(self._keys, groups.astype(np.int64) * self._step + ranks)

    def start(self, groups: np.ndarray) -> np.ndarray:
        """Where in `order` a group's events start, (q,)."""
        return np.searchsorted(self._keys, groups.astype(np.int64) * self._step)


def count_below(
    values: np.ndarray, start: np.ndarray, stop: np.ndarray, limit: np.ndarray
) -> np.ndarray:
    """How many of values[start:stop] are below a limit, for q questions at once.

    A wavelet matrix (Claude and Navarro, 2012, "The Wavelet Matrix") walked one bit at a time:
    O((n + q) log m) where m is the largest value.

    Args:
        values: (n,) whole numbers, 0 or more.
        start, stop: (q,) ranges.
        limit: (q,) whole numbers from 0 to the largest value + 1.

    Returns:
        (q,) int64.
    """
    count = np.zeros(len(start), dtype=np.int64)
    if len(values) == 0:
        return count
    for bit in reversed(range((int(values.max()) + 1).bit_length())):
        one = (values >> bit) & 1 == 1
        zeros_before = np.concatenate(([0], np.cumsum(~one)))
        start_zero, stop_zero = zeros_before[start], zeros_before[stop]
        limit_one = (limit >> bit) & 1 == 1
        # Where the limit's bit is 1, every value with a 0 there is below it.
        count += np.where(limit_one, stop_zero - start_zero, 0)
        zeros = zeros_before[-1]
        start = np.where(limit_one, zeros + start - start_zero, start_zero)
        stop = np.where(limit_one, zeros + stop - stop_zero, stop_zero)
        values = np.concatenate((values[~one], values[one]))
    return count
