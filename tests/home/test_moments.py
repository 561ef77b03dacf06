"""Moments, and days before them, as people give them."""

from datetime import UTC, datetime

import pytest

from mmrl.errors import InputError
from mmrl.home.moments import days_before

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_days_before_a_moment_are_counted_back_from_it() -> None:
    assert days_before(NOON, 31) == datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("days", [0, -1, 30_000, 999_999_999, 10**20])
def test_days_that_end_when_no_post_can_be_of_are_refused(days: int) -> None:
    with pytest.raises(InputError, match="do not end between 1970 and 2026-06-01"):
        days_before(NOON, days)
