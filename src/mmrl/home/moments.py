"""The moment that work is done for: the one place where the present is asked for."""

from datetime import UTC, datetime, timedelta

from mmrl.errors import InputError
from mmrl.times import parse_time

Moment = datetime | str | None  # as people give one: a time, ISO 8601 or epoch seconds, or now
_YEARS = range(1970, 2200)  # of a moment: spans before and after it are times, too


def moment(when: Moment) -> datetime:
    """The time the work is done for, aware, in UTC; the present for None.

    A time without a zone is taken as UTC.

    Raises:
        InputError: the text is no time, or one that no post can have.
    """
    if when is None:
        return datetime.now(UTC)
    at = parse_time(when if isinstance(when, str) else when.isoformat())
    if at.year not in _YEARS:
        raise InputError(
            f"{str(when)!r} is the year {at.year}: give a time from {_YEARS[0]} to {_YEARS[-1]}."
        )
    return at


def days_before(at: datetime, days: int) -> datetime:
    """So many days before a moment.

    Raises:
        InputError: no post can be of then.
    """
    if not 0 < days <= (at - datetime(_YEARS[0], 1, 1, tzinfo=UTC)).days:
        raise InputError(
            f"{days:,} days do not end between {_YEARS[0]} and {at:%Y-%m-%d}: give another number."
        )
    return at - timedelta(days=days)


def optional(when: Moment) -> datetime | None:
    """A moment, or None where none is given."""
    return None if when is None else moment(when)
