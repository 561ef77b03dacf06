"""Parsers of single values from files and APIs: text, numbers, times, truth values."""

import html
import math
from datetime import UTC, date, datetime
from typing import Any

from mmrl.catalog.reasons import Reason
from mmrl.errors import InputError
from mmrl.times import from_epoch, parse_time

REDDIT_BEGAN = datetime(2005, 6, 1, tzinfo=UTC)  # the site opened on 2005-06-23
MOST = 10_000_000_000  # no count of votes, comments, karma or subscribers comes near
_YES = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_NO = frozenset({"false", "f", "no", "n", "0", "0.0"})


class Unreadable(Exception):  # noqa: N818 - never leaves this package: it becomes a Refused
    """A value that makes its row unusable; carries the reason and a few words."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def text(value: Any) -> str | None:
    """A text without outer blanks; None where there is none. Lone surrogates become `?`."""
    if not isinstance(value, str):
        return None
    return value.replace("\0", "").encode("utf-8", "replace").decode().strip() or None


def unescaped(value: str) -> str:
    """A text with the three entities undone that Reddit escapes unless asked for `raw_json=1`."""
    if "&" not in value:
        return value
    for entity in ("&lt;", "&gt;", "&amp;"):
        value = value.replace(entity, html.unescape(entity))
    return value


def number(value: Any, name: str, least: float, most: float) -> float | None:
    """A finite number within bounds, also out of a text; None for null and for an empty text.

    Raises:
        Unreadable: it is something else.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _bad(name, value, "a number")
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        raise _bad(name, value, "a number") from None
    if not math.isfinite(parsed) or not least <= parsed <= most:
        raise _bad(name, value, f"a number from {least:,.0f} to {most:,.0f}")
    return parsed


def count(value: Any, name: str, least: int = 0, most: int = MOST) -> int | None:
    """A whole number within bounds; otherwise like `number`."""
    parsed = number(value, name, least, most)
    if parsed is None:
        return None
    if not parsed.is_integer():
        raise _bad(name, value, "a whole number")
    return int(parsed)


def moment(value: Any, name: str) -> datetime | None:
    """A time since Reddit began: epoch seconds (a number or a text), ISO 8601, or a datetime.

    Raises:
        Unreadable: it is something else, or earlier than Reddit, or centuries away.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        if isinstance(value, datetime):
            parsed = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        elif isinstance(value, date):
            parsed = datetime(value.year, value.month, value.day, tzinfo=UTC)
        elif isinstance(value, str):
            parsed = parse_time(value)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise _bad(name, value, "a time")
        else:
            parsed = from_epoch(value)
    except (InputError, ValueError, OverflowError, OSError):
        raise _bad(name, value, "epoch seconds or an ISO 8601 time") from None
    if parsed < REDDIT_BEGAN or parsed.year > 2200:
        raise _bad(name, value, "a time since Reddit began in 2005 (in seconds, if a number)")
    return parsed


def flag(value: Any, name: str) -> bool | None:
    """A truth value, also as 0, 1, "True", "no"...; None where there is none."""
    if value is None or isinstance(value, bool):
        return value
    folded = str(value).strip().lower()
    if not folded:
        return None
    if folded in _YES:
        return True
    if folded in _NO:
        return False
    raise _bad(name, value, "true or false")


def _bad(name: str, value: Any, expected: str) -> Unreadable:
    try:
        shown = repr(value).encode("utf-8", "replace").decode()
    except ValueError:  # an integer of more digits than Python writes out
        shown = "an enormous number"
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return Unreadable(Reason.BAD_VALUE, f"{name} is {shown}, expected {expected}")
