"""Hours of posting as people say them."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from mmrl.errors import InputError
from mmrl.serving.inputs.hours import posting_moment, posting_time

FRIDAY = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)  # 13:00 in Berlin


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("Sat 18:00", "Europe/Berlin", "2026-11-28T17:00:00+00:00"),
        ("saturday 18:00", "Europe/Berlin", "2026-11-28T17:00:00+00:00"),
        ("fri 18:00", "Europe/Berlin", "2026-11-27T17:00:00+00:00"),
        ("Fri 9:00", "Europe/Berlin", "2026-12-04T08:00:00+00:00"),
        ("18:30", "UTC", "2026-11-27T18:30:00+00:00"),
        ("9am", "UTC", "2026-11-28T09:00:00+00:00"),
        ("tomorrow at 12 am", "UTC", "2026-11-28T00:00:00+00:00"),
        ("today 11pm", "America/New_York", "2026-11-28T04:00:00+00:00"),
        ("2026-11-28 18:00", "Europe/Berlin", "2026-11-28T17:00:00+00:00"),
        ("2026-11-28T18:00Z", "Europe/Berlin", "2026-11-28T18:00:00+00:00"),
    ],
)
def test_an_hour_is_the_next_such_moment_in_its_zone(text: str, zone: str, expected: str) -> None:
    assert posting_time(text, zone, FRIDAY).isoformat() == expected


@pytest.mark.parametrize(
    ("text", "zone", "told"),
    [
        ("noon-ish", "UTC", "no hour"),
        ("25:00", "UTC", "no hour"),
        ("18", "UTC", "no hour"),
        ("13 pm", "UTC", "no hour"),
        ("someday 18:00", "UTC", "no time to come"),
        ("today 9:00", "UTC", "no time to come"),
        ("2026-11-20 18:00", "UTC", "past"),
        ("Sat 18:00", "Europe/Berlni", "did you mean Europe/Berlin"),
        ("Sat 18:00", "../etc/passwd", "no time zone"),
    ],
)
def test_what_is_no_hour_or_zone_is_refused_in_a_sentence(text: str, zone: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        posting_time(text, zone, FRIDAY)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Sat 18:00", "2026-11-28T18:00:00+00:00"),
        ("2026-11-28 18:00", "2026-11-28T18:00:00+00:00"),
        (datetime(2026, 11, 28, 18, tzinfo=timezone(timedelta(hours=1))), "2026-11-28T17:00+00:00"),
        (datetime(2026, 11, 28, 18), "2026-11-28T18:00+00:00"),  # noqa: DTZ001 - as people give it
    ],
)
def test_python_takes_times_and_what_the_command_takes(given: object, expected: str) -> None:
    assert posting_moment(given, FRIDAY) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("2026-11-20 18:00", "past"),
        ("soon", "no hour"),
        (18, r"`at` is 18 \(int\): give a datetime, or a text like 'Sat 18:00'"),
        (date(2026, 11, 28), r"`at` is 2026-11-28 \(date\)"),
    ],
)
def test_what_is_no_time_is_named_to_whoever_gave_it(given: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        posting_moment(given, FRIDAY)
