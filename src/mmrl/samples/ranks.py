"""Counts of earlier events: sorted by group and time, and where a value ranks among them.

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
        by_time = np.argsort(times, kind="stable")
        in_time = times[by_time]
        is_later = np.ones(len(times), bool)
        is_later[1:] = in_time[1:] != in_time[:-1]
        self._times = in_time[is_later]
        del in_time  # of millions, memory that was not used before costs more than sorting
        by_group = np.argsort(_small(groups)[by_time], kind="stable")
        self.order = by_time[by_group]
        del by_time
        # (group, rank of time) as one number, which numpy can search for.
        self._step = len(self._times) + 1
        self._keys = groups[self.order].astype(np.int64, copy=False)
        self._keys *= self._step
        ranks = np.cumsum(is_later)
        ranks -= 1
        self._keys += ranks[by_group]

    def until(self, groups: np.ndarray, times: np.ndarray, inclusive: bool = True) -> np.ndarray:
        """For q questions, where in `order` the group's events up to a time end, (q,)."""
        ranks = np.searchsorted(self._times, times, side="right" if inclusive else "left")
        return np.searchsorted(self._keys, groups.astype(np.int64) * self._step + ranks)

    def start(self, groups: np.ndarray) -> np.ndarray:
        """Where in `order` a group's events start, (q,)."""
        return np.searchsorted(self._keys, groups.astype(np.int64) * self._step)

    def groups(self) -> np.ndarray:
        """Each event's group, in `order`, (n,)."""
        return self._keys // self._step


def _small(numbers: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 in as few bytes as hold them: numpy sorts those of two by digits."""
    return numbers.astype(np.min_scalar_type(numbers.max(initial=0)))


class Ordered:
    """Whole numbers in a row, ready to be counted and ranked within any stretch of it.

    A wavelet matrix (Claude and Navarro, 2012, "The Wavelet Matrix"), walked one bit at a time:
    O(log m) a question where m is the largest value.
    """

    def __init__(self, values: np.ndarray, bits: int) -> None:
        """Sorts n values by each of their bits.

        Args:
            values: (n,) whole numbers from 0 to 2^bits - 1.
        """
        self.bits = bits
        self._zeros_before: list[np.ndarray] = []
        for bit in reversed(range(bits)):
            one = (values >> bit) & 1 == 1
            zeros = np.cumsum(~one, dtype=np.int32)
            self._zeros_before.append(np.concatenate((np.zeros(1, np.int32), zeros)))
            values = np.concatenate((values[~one], values[one]))

    def count_below(self, start: np.ndarray, stop: np.ndarray, limit: np.ndarray) -> np.ndarray:
        """How many of values[start:stop] are below a limit, for q questions at once.

        Args:
            start, stop: (q,) ranges.
            limit: (q,) whole numbers from 0 to 2^bits.

        Returns:
            (q,) int64.
        """
        beyond = limit >> self.bits > 0
        count = np.where(beyond, stop - start, 0).astype(np.int64)
        for place, zeros_before in enumerate(self._zeros_before):
            start_zero, stop_zero = zeros_before[start], zeros_before[stop]
            one = (limit >> (self.bits - 1 - place)) & 1 == 1
            # Where the limit's bit is 1, every value with a 0 there is below it.
            count += np.where(one & ~beyond, stop_zero - start_zero, 0)
            start, stop = self._next(place, start, stop, one)
        return count

    def _next(
        self, place: int, start: np.ndarray, stop: np.ndarray, one: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The ranges one bit on, among the values with a 1 there or with a 0."""
        zeros_before = self._zeros_before[place]
        zeros = zeros_before[-1]
        return (
            np.where(one, zeros + start - zeros_before[start], zeros_before[start]),
            np.where(one, zeros + stop - zeros_before[stop], zeros_before[stop]),
        )


def smallest(
    there: tuple[Ordered, np.ndarray, np.ndarray],
    gone: tuple[Ordered, np.ndarray, np.ndarray],
    rank: np.ndarray,
) -> np.ndarray:
    """The value at a rank among those of one stretch that are not in another, for q questions.

    Args:
        there, gone: values of as many bits, and the (q,) starts and stops of stretches; each value
            of the second stretch is in the first one, too.
        rank: (q,) from 0 for the smallest to one less than how many are left.

    Returns:
        (q,) int64.
    """
    (one, start, stop), (other, other_start, other_stop) = there, gone
    value = np.zeros(len(rank), np.int64)
    for place in range(one.bits):
        zeros = (
            one._zeros_before[place][stop]
            - one._zeros_before[place][start]
            - other._zeros_before[place][other_stop]
            + other._zeros_before[place][other_start]
        )
        high = rank >= zeros
        value = 2 * value + high
        rank = rank - np.where(high, zeros, 0)
        start, stop = one._next(place, start, stop, high)
        other_start, other_stop = other._next(place, other_start, other_stop, high)
    return value
