"""Hours of posting as people say them: `Sat 18:00`, `tomorrow 9am`, `2026-11-28 18:00`."""

import difflib
import re
import zoneinfo
from datetime import UTC, datetime, time, timedelta

from mmrl.errors import InputError
from mmrl.runtime.foreign_text import shown

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SAID = re.compile(
    r"(?:(?P<day>today|tomorrow|[a-z]{3,9})\s+)?(?:at\s+)?"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s*(?P<half>am|pm)?"
)


def posting_time(text: str, zone: str, after: datetime) -> datetime:
    """The first moment after `after` that a text names, in UTC.

    Args:
        text: a weekday, `today` or `tomorrow` and an hour; an hour alone; or an ISO 8601 time.
        zone: a time zone's name, such as `Europe/Berlin`, in which the hour is meant.

    Raises:
        InputError: the text is no time, the zone is not known, or a stated date is past.
    """
    place = zone_of(zone)
    local = after.astimezone(place)
    stated = _iso(text)
    if stated is not None:
        moment = stated if stated.tzinfo else stated.replace(tzinfo=place)
        if moment < after:
            raise InputError(f"{text!r} is past: a draft is posted later than what is known of.")
        return moment.astimezone(UTC)
    match = _SAID.fullmatch(text.strip().lower())
    hour = None if match is None else _hour(match)
    if match is None or hour is None:
        raise InputError(
            f"{text!r} is no hour: give one like 'Sat 18:00', 'tomorrow 9am', '18:00' or "
            "'2026-11-28 18:00'."
        )
    day = match["day"]
    for ahead in range(9):
        date = (local + timedelta(days=ahead)).date()
        moment = datetime.combine(date, hour, place)
        if moment >= after and _is_day(day, date.weekday(), ahead):
            return moment.astimezone(UTC)
    raise InputError(
        f"{text!r} is no time to come: give a weekday (mon to sun), today or tomorrow."
    )


def posting_moment(when: object, after: datetime, zone: str = "UTC") -> datetime:
    """When a draft is to go up, as Python gives it: a time, or a text as `posting_time` reads it.

    A time without a zone is in UTC; a text without one in `zone`.

    Raises:
        InputError: it is neither, or the text is no time to come.
    """
    if isinstance(when, str):
        return posting_time(when, zone, after)
    if not isinstance(when, datetime) or when != when:  # pandas' NaT is none
        raise InputError(
            f"`at` is {shown(when)} ({type(when).__name__}): give a datetime, or a text like "
            "'Sat 18:00' or '2026-11-28 18:00'."
        )
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _hour(match: re.Match[str]) -> time | None:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match["half"] == "pm" else 0)
    elif match["minute"] is None and match["day"] is None:
        return None  # a number alone
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _is_day(day: str | None, weekday: int, ahead: int) -> bool:
    match day:
        case None:
            return True
        case "today":
            return ahead == 0
        case "tomorrow":
            return ahead == 1
    return _DAYS[weekday] == day[:3]


def next_seven_days(after: datetime) -> list[datetime]:
    """The full hours of the seven days from a time on, UTC; the first is not before it."""
    first = after.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    first += timedelta(hours=first < after)
    return [first + timedelta(hours=hour) for hour in range(7 * 24)]


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """A time zone by its name, such as `Europe/Berlin`.

    Raises:
        InputError: there is none.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = sorted(zoneinfo.available_timezones())
        near = difflib.get_close_matches(name, known, 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else "give one like Europe/Berlin or UTC."
        raise InputError(f"There is no time zone {name!r}: {hint}") from None
