"""Running sums over groups' events in time: counts, means, spreads and bests as of any moment.

Sums run over values as whole multiples of 2^-30, so that they are exact: a mean is the same to its
last bit whatever else is there.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmrl.samples.ranks import Events

_UNIT = 2.0**30
_TYPICAL = 4.0  # log score; squares are taken from here, so that their sums stay small
_FURTHEST = 1 << 36  # in units of 2^-30: no log score is as large


@dataclass(frozen=True)
class Moments:
    """How many events q questions are answered from, and their mean and standard deviation.

    (q,) each; NaN where there is no event.
    """

    count: np.ndarray
    mean: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True)
class _Totals:
    """Count, sum and sum of squares from `_TYPICAL`, whole numbers."""

    count: np.ndarray
    total: np.ndarray
    squares: np.ndarray

    def less(self, other: "_Totals") -> "_Totals":
        return _Totals(
            self.count - other.count, self.total - other.total, self.squares - other.squares
        )

    def moments(self) -> Moments:
        there = self.count > 0
        mean, square = (
            np.divide(sums / _UNIT, self.count, out=np.full(len(there), np.nan), where=there)
            for sums in (self.total, self.squares)
        )
        return Moments(self.count, mean, np.sqrt(np.maximum(square - (mean - _TYPICAL) ** 2, 0.0)))


class Sums:
    """Events with running sums of what they carry."""

    def __init__(self, groups: np.ndarray, times: np.ndarray, values: np.ndarray) -> None:
        """Sorts n events.

        Args:
            groups: (n,) small whole numbers, 0 or more.
            times: (n,) int64, from when on an event counts.
            values: (n,) float64; those that are NaN count as absent.
        """
        self._events = Events(groups, times)
        ordered = values[self._events.order].astype(np.float64, copy=False)
        absent = np.isnan(ordered)
        ordered[absent] = 0.0
        total = _running(_units(ordered))
        ordered -= _TYPICAL
        ordered *= ordered
        ordered[absent] = 0.0
        self._sums = _Totals(_running(~absent), total, _running(_units(ordered)))

    @cached_property
    def _best(self) -> np.ndarray:
        """The largest value up to each event of its group, in units; few ask for it."""
        present, units = np.diff(self._sums.count) > 0, np.diff(self._sums.total)
        # A group's best starts anew: each group's values lie above all of the group before.
        step = self._events.groups() * np.int64(2 * _FURTHEST)
        return np.asarray(np.maximum.accumulate(np.where(present, units, -_FURTHEST) + step) - step)

    def moments(
        self,
        groups: np.ndarray,
        times: np.ndarray,
        most: int | None = None,
        since: np.ndarray | None = None,
    ) -> Moments:
        """Of the events by a time, at most so many of the newest.

        Args:
            groups: (q,); nothing is known of -1.
            times: (q,) int64.
            since: (q,) int64; of more than `most` events, all later than this count.
        """
        start, stop = self._range(groups, times, True)
        if most is not None:
            start = np.maximum(start, stop - most)
        if since is not None:
            start = np.minimum(start, self._events.until(groups, since))
        return self._between(start, stop).moments()

    def totals(self, groups: np.ndarray, times: np.ndarray, *, inclusive: bool = True) -> _Totals:
        """Of the events by a time, as `moments`, still to be divided.

        Args:
            inclusive: whether events of the time itself count.
        """
        return self._between(*self._range(groups, times, inclusive))

    def _between(self, start: np.ndarray, stop: np.ndarray) -> _Totals:
        sums = (self._sums.count, self._sums.total, self._sums.squares)
        return _Totals(*(each[stop] - each[start] for each in sums))

    def best(self, groups: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The largest value by a time, (q,); NaN where there is none."""
        start, stop = self._range(groups, times, True)
        largest = np.append(self._best, 0)[stop - 1]
        there = self._sums.count[stop] > self._sums.count[start]
        return np.where(there, largest / _UNIT, np.nan)

    def ends(self, groups: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the first and the newest event by a time, (q,) each; -1 for none."""
        start, stop = self._range(groups, times, True)
        order = np.append(self._events.order, -1)
        there = stop > start
        return np.where(there, order[start], -1), np.where(there, order[stop - 1], -1)

    def _range(
        self, groups: np.ndarray, times: np.ndarray, inclusive: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        start = self._events.start(groups)
        return start, np.where(groups < 0, start, self._events.until(groups, times, inclusive))


class Window:
    """Running sums of the events of a span of time before each moment."""

    def __init__(
        self,
        groups: np.ndarray,
        created: np.ndarray,
        known: np.ndarray,
        values: np.ndarray,
        span: int,
        since: int | None = None,
    ) -> None:
        """Sorts n events.

        Args:
            created, known: (n,) int64, when an event was, and from when on it counts.
            span: an event no longer counts when it is older than this.
            since: the first moment that is going to be asked about; any for None.
        """
        # What has arrived less what has left again; what arrives too late never counts.
        counts = known <= created + span
        if since is not None:
            counts &= created >= since - span
        self._span = span
        self._arrived = Sums(groups[counts], known[counts], values[counts])
        self._left = Sums(groups[counts], created[counts], values[counts])

    def moments(self, groups: np.ndarray, times: np.ndarray) -> Moments:
        """Of the events within the span before each time; see `Sums.moments`."""
        left = self._left.totals(groups, times - self._span, inclusive=False)
        return self._arrived.totals(groups, times).less(left).moments()


def _units(values: np.ndarray) -> np.ndarray:
    """Values as whole multiples of 2^-30, (n,) int64."""
    units = values * _UNIT
    return np.round(units, out=units).astype(np.int64)


def _running(values: np.ndarray) -> np.ndarray:
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums
