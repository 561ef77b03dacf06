"""Dates and times in the forms that tools and people write: read as meant, or refused."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmrl.sources.dates import DayOrder, UnreadDateError, day_order, read_time

TIME = datetime(2022, 9, 8, 23, 31, 16, tzinfo=UTC)
MINUTE = TIME.replace(second=0)
DAY = datetime(2022, 9, 8, tzinfo=UTC)
times = st.datetimes(datetime(1990, 1, 1), datetime(2199, 12, 31)).map(  # noqa: DTZ001 - zone below
    lambda time: time.replace(microsecond=0, tzinfo=UTC)
)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2022-09-08T23:31:16.000Z", TIME),
        ("2022-09-08 23:31:16 UTC", TIME),  # BigQuery
        ("2022-09-08T23:31:16+0000", TIME),
        ("2022-09-08 23:31:16.999999999", TIME.replace(microsecond=999999)),
        ("2022/09/08 23:31", MINUTE),
        ("Thu Sep  8 23:31:16 2022", TIME),
        ("Thu Sep 08 23:31:16 +0000 2022", TIME),  # Twitter
        ("Sep 8, 2022", DAY),
        ("8 September 2022", DAY),
        ("2022-09-08 11:31 PM", MINUTE),
        ("2022-09-08 18:31:16 EST", TIME),
        ("08.09.2022 23:31", MINUTE),  # with dots the day is first
        ("8.9.22", DAY),
        ("13/9/2022 23:31", MINUTE + timedelta(days=5)),
        ("9/13/22 11:31 PM", MINUTE + timedelta(days=5)),
        ("20220908", DAY),
        (20220908, DAY),
        ("20220908233116", TIME),
        ("1662679876", TIME),
        (" 1662679876.0 ", TIME),
        ("1.662679876E9", TIME),
        (1662679876000, TIME),
        (1662679876000000, TIME),
        ("1662679876000000000", TIME),
        (Decimal("1662679876.000"), TIME),
        (date(2022, 9, 8), DAY),
        (TIME.replace(tzinfo=None), TIME),
        ("1995-02-03", datetime(1995, 2, 3, tzinfo=UTC)),  # other platforms are older than Reddit
    ],
)
def test_a_time_is_read_in_any_form_that_means_one(value: Any, time: datetime) -> None:
    assert read_time(value) == time


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("9/8/2022 23:31", "--day-first or --month-first"),
        ("08-09-2022", "--day-first or --month-first"),
        ("2022-09", "day, month and year"),
        ("Sep 2022", "day, month and year"),
        ("5 hours ago", "a time such as"),
        ("2022-09-08 23:31 IST", "a time such as"),  # of India, Israel or Ireland
        ("31/02/2022", "a time such as"),
        ("1.66E+09", "a spreadsheet has rounded"),
        ("44812.97", "a spreadsheet's number of a day"),
        ("2022-09-08" + " " * 80 + "x", "a time such as"),
        ("12", "from 1990 to 2199"),
        (-1, "from 1990 to 2199"),
        ("1950-01-01", "from 1990 to 2199"),
        ("0001-01-01T00:00+14:00", "from 1990 to 2199"),
        ("9999-12-31T23:59-12:00", "from 1990 to 2199"),
        (10**400, "from 1990 to 2199"),
        (True, "a time such as"),
        ([1], "a time such as"),
        (float("nan"), "a time such as"),
    ],
)
def test_a_time_is_refused_where_it_says_none_or_several(value: Any, expected: str) -> None:
    with pytest.raises(UnreadDateError, match=expected):
        read_time(value)


@given(times, st.sampled_from([1, 1_000, 1_000_000, 1_000_000_000]), st.booleans())
def test_a_number_means_its_seconds_in_every_unit(time: datetime, unit: int, written: bool) -> None:
    number = int(time.timestamp()) * unit
    assert read_time(str(number) if written else number) == time


@example(time=datetime(1990, 1, 1, tzinfo=UTC), minutes=-1)
@given(times, st.integers(-12 * 60, 14 * 60))
def test_written_forms_mean_their_time(time: datetime, minutes: int) -> None:
    local = time.astimezone(timezone(timedelta(minutes=minutes)))
    for written in (local.isoformat(), local.isoformat(" "), format_datetime(local)):
        assert read_time(written) == time
    for form in ("%Y/%m/%d %H:%M:%S", "%B %d, %Y %I:%M:%S %p", "%d.%m.%Y %H:%M:%S", "%c"):
        assert read_time(time.strftime(form)) == time


@given(times, st.sampled_from("/-"), st.sampled_from(list(DayOrder)))
def test_slashed_dates_follow_the_order_of_their_column(
    time: datetime, sign: str, order: DayOrder
) -> None:
    form = "%d/%m/%Y" if order is DayOrder.DAY_FIRST else "%m/%d/%Y"
    written = time.strftime(form.replace("/", sign))
    told = time.replace(month=5, day=20).strftime(form.replace("/", sign))
    day = time.replace(hour=0, minute=0, second=0)
    assert day_order([written, told]) is order
    assert read_time(written, day_order([written, told])) == day
    assert day_order([written, "1/13/2022", "13/1/2022"]) is None


@given(st.text() | st.integers() | st.floats() | st.decimals() | st.none() | st.booleans())
def test_whatever_comes_is_a_time_in_range_or_refused(value: Any) -> None:
    try:
        time = read_time(value)
    except UnreadDateError:
        return
    assert 1990 <= time.year < 2200
    assert time.utcoffset() == timedelta(0)
