"""Parsers of single values from files and APIs: text, numbers, times, truth values."""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from mmrl.catalog.reasons import Reason
from mmrl.runtime.foreign_text import shown
from mmrl.sources.dates import IN_RANGE, DayOrder, UnreadDateError, read_time

MOST = 10_000_000_000  # no count of votes, comments, karma or subscribers comes near
_YES = frozenset({"true", "t", "yes", "y", "1", "1.0", "nsfw"})
_NO = frozenset({"false", "f", "no", "n", "0", "0.0", "sfw"})


# As people and pages write numbers: 1,204 and 1 204 and 12.5k and 97% and 12 points.
_GROUPED = re.compile(r"([+-]?[1-9]\d{0,2})((?:[,\u00a0\u202f ']\d{3})+)(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"([+-]?\d+),(\d+)")
_WITH_UNIT = re.compile(
    r"(.*\d)\s*([kKmM%]?)\s*(?:points?|upvotes?|votes?|comments?|likes?)?", re.DOTALL
)
_TIMES: dict[str, int | Decimal] = {"": 1, "k": 1_000, "m": 1_000_000, "%": Decimal("0.01")}
_LONGEST_NUMBER = 64


class Unreadable(Exception):  # noqa: N818 - never leaves this package: it becomes a Refused
    """A value that can't be used.

    Attributes:
        reason: from the closed list.
        detail: a few words for whoever looks into it; the message.
        field: the value's name, with which `detail` begins; "" where it is of no single value.
    """

    def __init__(self, reason: Reason, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.field = field


@dataclass(frozen=True)
class Unheld:
    """A value of a file that Python can't hold.

    Attributes:
        words: what it is.
        is_time: it is a time, of a year that Python does not know.
    """

    words: str
    is_time: bool = False


def text(value: Any) -> str | None:
    """A text without outer blanks; None where there is none. Lone surrogates become `?`."""
    if not isinstance(value, str):
        return None
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    return value.replace("\0", "").strip() or None


def unescaped(value: str) -> str:
    """A text with the three entities undone that Reddit escapes unless asked for `raw_json=1`."""
    if "&" not in value:
        return value
    return value.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def number(value: Any, name: str, least: float, most: float) -> float | None:
    """A finite number within bounds, also out of a text; None for null and for an empty text.

    Texts may be as people write them: 1,204 or 12.5k or 97% (which is 0.97) or 12 points.

    Raises:
        Unreadable: it is something else.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise bad(name, value, "a number")
    try:
        parsed = float(_plain(value) if isinstance(value, str) else value)
    except OverflowError:
        parsed = math.inf
    except (ValueError, ArithmeticError):
        raise bad(name, value, "a number") from None
    if not math.isfinite(parsed) or not least <= parsed <= most:
        raise bad(name, value, f"a number from {least:,.0f} to {most:,.0f}", Reason.OUT_OF_RANGE)
    return parsed


def count(value: Any, name: str, least: int = 0, most: int = MOST) -> int | None:
    """A whole number within bounds; otherwise like `number`."""
    parsed = number(value, name, least, most)
    if parsed is None:
        return None
    if not parsed.is_integer():
        raise bad(name, value, "a whole number")
    return int(parsed)


def share(value: Any, name: str) -> float | None:
    """A number from 0 to 1, also in percent: 97% is 0.97, and so is 97."""
    parsed = number(value, name, 0, 100)
    if parsed is None or parsed <= 1:
        return parsed
    if parsed < 2:  # neither a share nor, likely, a percentage
        raise bad(name, value, "a share from 0 to 1, or from 2 to 100 in percent")
    return parsed / 100


def line(value: Any, name: str, most: int) -> str | None:
    """A text like `text`, with at most so many characters.

    Raises:
        Unreadable: it has more, or is a value that Python can't hold.
    """
    if isinstance(value, Unheld):
        raise bad(name, value, "a text")
    if isinstance(value, str) and len(value) > most:
        expected = f"at most {most:,}"
        raise Unreadable(
            Reason.TOO_LONG, f"{name} has {len(value):,} characters, expected {expected}", name
        )
    return text(value)


def needed(value: Any, name: str, most: int) -> str | None:
    """A text like `line`, for what no post can be without.

    Raises:
        Unreadable: it has more characters, or is something else than a text.
    """
    if value is not None and not isinstance(value, str):
        raise bad(name, value, "a text")
    return line(value, name, most)


def moment(value: Any, name: str, order: DayOrder | None = None) -> datetime | None:
    """A time in any of the forms that `mmrl.sources.dates` reads; None where there is none.

    Raises:
        Unreadable: it is something else, or may mean several times, or centuries away.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, Unheld) and value.is_time:
        raise bad(name, value, IN_RANGE, Reason.OUT_OF_RANGE)
    try:
        return read_time(value, order)
    except UnreadDateError as error:
        reason = Reason.OUT_OF_RANGE if error.out_of_range else Reason.BAD_VALUE
        raise bad(name, value, str(error), reason) from None


def flag(value: Any, name: str) -> bool | None:
    """A truth value, also as 0, 1, "True", "no"...; None where there is none."""
    if value is None or isinstance(value, bool):
        return value
    folded = shown(value).strip().lower()
    if not folded:
        return None
    if folded in _YES:
        return True
    if folded in _NO:
        return False
    raise bad(name, value, "true or false")


def bad(name: str, value: Any, expected: str, reason: Reason = Reason.BAD_VALUE) -> Unreadable:
    """The refusal of a value, with what was expected."""
    if isinstance(value, Unheld):
        what = value.words
    else:
        what = f"'{shown(value)}'" if isinstance(value, str) else shown(value)
    return Unreadable(reason, f"{name} is {what}, expected {expected}", name)


def _plain(text: str) -> float:
    """The number that a text of a person's or a page's means.

    Raises:
        ValueError: it means none, or its comma may be a decimal comma or not.
    """
    text = text.strip()
    match = _WITH_UNIT.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    if match is None:
        return float(text)
    digits = match[1].strip()
    grouped, comma = _GROUPED.fullmatch(digits), _DECIMAL_COMMA.fullmatch(digits)
    if grouped is not None:
        whole = re.sub(r"[^\d+-]", "", grouped[1] + grouped[2])
        digits = whole + (grouped[3] or "")
    elif comma is not None:
        digits = f"{comma[1]}.{comma[2]}"
    if "_" in digits:
        raise ValueError("Python's way of grouping digits")
    return float(Decimal(digits) * _TIMES[match[2].lower()])
