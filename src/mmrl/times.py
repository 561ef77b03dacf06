"""Times, always UTC. Functions are handed the time; only the command line asks for the present."""

from datetime import UTC, datetime, timedelta

from mmrl.errors import InputError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def from_epoch(seconds: float) -> datetime:
    """Seconds since 1970 as an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def microseconds_of(moment: datetime) -> int:
    """An aware time as whole microseconds since 1970, the unit of all times in the catalog."""
    return (moment - _EPOCH) // _MICROSECOND


def parse_time(text: str) -> datetime:
    """An ISO 8601 date or time, or epoch seconds, as an aware UTC datetime.

    A time without a zone is taken as UTC; a date alone is its midnight.

    Raises:
        InputError: the text is neither.
    """
    try:
        return from_epoch(float(text))
    except (ValueError, OverflowError, OSError):
        pass
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(
            f"{text!r} is no date: give one like 2026-11-22, 2026-11-22T18:00 or epoch seconds."
        ) from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def iso(moment: datetime) -> str:
    """A UTC time as `2026-11-22T18:00:00Z`, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
