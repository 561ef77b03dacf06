"""Dates and times as people and tools write them, read as UTC or refused: none is guessed."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum

from dateutil import parser as dateutil
from dateutil.tz import tzoffset

# What a number may mean, by its size: no two of these ranges meet, as times lie in these years.
FIRST, LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_FIRST_SECOND, _LAST_SECOND = int(FIRST.timestamp()), int(LAST.timestamp())
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)  # parts of a second: s, ms, us, ns
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # 20220908, 20220908233116
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_LONGEST = 64
_SLASHED = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)(.*)", re.DOTALL)
_HAS_DAY = re.compile(r"\d{4}.*\d|\d.*\d{4}|\d.*\d.*\d{2}")
# Names of zones that mail has fixed (RFC 5322); others mean several places.
_ZONES = {"UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5}
_ZONES |= {"MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
IN_RANGE = f"a time from {FIRST.year} to {LAST.year - 1}"
SAY_ORDER = "--day-first or --month-first"
EXAMPLES = "2022-09-08 23:31, 8 September 2022 or epoch seconds"


class DayOrder(Enum):
    """Which of two numbers of a date such as 9/8/2022 is the day."""

    DAY_FIRST = "day first"
    MONTH_FIRST = "month first"


class UnreadDateError(ValueError):
    """A value that is no time; the message says what was expected.

    Attributes:
        out_of_range: it is one, of years in which no post can be.
        open_order: it is one, but which number is the day is not known.
    """

    def __init__(
        self, expected: str, *, out_of_range: bool = False, open_order: bool = False
    ) -> None:
        super().__init__(expected)
        self.out_of_range = out_of_range
        self.open_order = open_order


def read_time(value: object, order: DayOrder | None = None) -> datetime:
    """A time as UTC; one without a zone is taken as UTC, a date alone as its midnight.

    Args:
        value: a datetime, a date; a number or its text: seconds, milliseconds, microseconds or
            nanoseconds since 1970, or compact as 20220908; any other text with day, month, year.
        order: how dates such as 9/8/2022 are meant, in which both numbers may be the day.

    Raises:
        UnreadDateError: it is something else, or may mean several times, or is out of range.
    """
    if isinstance(value, datetime):
        return _in_range(value)
    if isinstance(value, date):
        return _in_range(datetime(value.year, value.month, value.day, tzinfo=UTC))
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise UnreadDateError(f"a time such as {EXAMPLES}")
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text) or len(text) > _LONGEST:
            return _in_range(_written(text, order))
        if _rounded(text):
            raise UnreadDateError("a time: a spreadsheet has rounded this one")
        number: int | float | Decimal = Decimal(text)
    else:
        number = value
    return _of_number(number)


def day_order(values: Iterable[object]) -> DayOrder | None:
    """The order that all dates of a column agree on; None where none tells, or they disagree."""
    orders = set()
    for value in values:
        match = _SLASHED.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is not None:
            first, second = int(match[1]), int(match[3])
            if first > 12 >= second:
                orders.add(DayOrder.DAY_FIRST)
            if second > 12 >= first:
                orders.add(DayOrder.MONTH_FIRST)
    return orders.pop() if len(orders) == 1 else None


def _of_number(number: int | float | Decimal) -> datetime:
    try:
        whole = int(number)
    except (ValueError, OverflowError):  # not a number, infinite
        raise UnreadDateError(f"a time such as {EXAMPLES}") from None
    digits = str(whole) if abs(whole) < 10**19 else ""
    if number == whole and len(digits) in _COMPACT:
        try:
            return _in_range(datetime.strptime(digits, _COMPACT[len(digits)]).replace(tzinfo=UTC))
        except ValueError:
            pass
    for unit in _UNITS if number == whole else (1,):
        if _FIRST_SECOND * unit <= whole < _LAST_SECOND * unit:
            micros = whole * 1_000_000 // unit if number == whole else round(number * 1_000_000)
            return _EPOCH + timedelta(microseconds=micros)
    if 20_000 < number < 80_000:
        raise UnreadDateError("a date, not a spreadsheet's number of a day: format that column")
    raise UnreadDateError(IN_RANGE, out_of_range=True)


def _rounded(text: str) -> bool:
    """True where a spreadsheet has left out digits of a number of seconds: 1.66E+09."""
    mantissa, _, exponent = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return bool(exponent) and int(exponent) - decimals > 1


def _written(text: str, order: DayOrder | None) -> datetime:
    if len(text) > _LONGEST or not _HAS_DAY.search(text):
        raise UnreadDateError(f"a time such as {EXAMPLES}")
    match = _SLASHED.fullmatch(text)
    return _parsed(text if match is None else _day_last(match, order))


def _day_last(match: re.Match[str], order: DayOrder | None) -> str:
    """A date such as 9/8/2022 or 08.09.22 23:31 as 2022-09-08; with dots the day comes first."""
    first, second, year = int(match[1]), int(match[3]), match[4]
    if order is None and match[2] == ".":
        order = DayOrder.DAY_FIRST
    if first > 12 or second > 12 or first == second:
        order = DayOrder.DAY_FIRST if first > 12 else DayOrder.MONTH_FIRST
    if order is None:
        expected = f"a date that tells day and month apart: say {SAY_ORDER}"
        raise UnreadDateError(expected, open_order=True)
    day, month = (first, second) if order is DayOrder.DAY_FIRST else (second, first)
    if len(year) == 2:
        year = ("20" if int(year) < 70 else "19") + year
    return f"{year}-{month:02}-{day:02}{match[5]}"


def _parsed(text: str) -> datetime:
    """A text that states day, month and year; dateutil would make up what is missing."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    makeshifts = (datetime(2000, 1, 1), datetime(2001, 2, 2))  # noqa: DTZ001 - compared only
    try:
        read, other = (
            dateutil.parse(text, default=default, tzinfos=_zone) for default in makeshifts
        )
    except (ValueError, OverflowError, TypeError, AttributeError):
        raise UnreadDateError(f"a time such as {EXAMPLES}") from None
    if read != other:
        raise UnreadDateError("a time with day, month and year")
    return read


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    if offset is not None:
        return tzoffset(None, offset)
    if name is None:
        return None
    hours = _ZONES.get((name or "").upper())
    if hours is None:
        raise ValueError("a zone of no known offset")
    return tzoffset(None, timedelta(hours=hours))


def _in_range(time: datetime) -> datetime:
    try:
        utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:  # the first or last day that Python knows
        utc = None
    if utc is None or not FIRST <= utc < LAST:
        raise UnreadDateError(IN_RANGE, out_of_range=True)
    return utc
