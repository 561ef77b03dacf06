"""Retry policies: how long they wait, when they give up, what a Retry-After asks for."""

import random
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from mmrl.config import Settings
from mmrl.runtime import retry
from mmrl.runtime.retry import Retry, retry_after

POLICIES = {name: value for name, value in vars(retry).items() if isinstance(value, Retry)}


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("REDDIT", [1, 2, 4, 8, 16, 32, 60, 60]),
        ("COLLECTOR", [2, 4, 8, 16, 32, 60, 60]),
        ("IMAGES", [0.5, 1, 2, 4, 8, 8]),
        ("CAPTIONS", [1, 2, 4, 8, 16, 30, 30]),
        ("HUB", [1, 2, 3, 4]),
        ("FAILURES", [600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 76_800, 86_400]),
    ],
)
def test_waits_grow_from_the_first_to_the_longest(name: str, waits: list[float]) -> None:
    policy = POLICIES[name]
    assert [policy.wait(attempt) for attempt in range(1, len(waits) + 1)] == waits
    assert policy.wait(10_000) == policy.longest_wait


@pytest.mark.parametrize(("name", "least"), [("IMAGES", 0.0), ("CAPTIONS", 0.5), ("REDDIT", 0.5)])
def test_waits_are_random_but_for_the_part_that_is_sure(name: str, least: float) -> None:
    draw = random.Random(0)
    for attempt in (1, 3, 50):
        longest = POLICIES[name].wait(attempt)
        waits = [POLICIES[name].wait(attempt, draw.random()) for _ in range(500)]
        assert least * longest <= min(waits) < (least + 0.1) * longest
        assert 0.9 * longest < max(waits) <= longest


def test_a_purge_waits_a_little_longer_each_time() -> None:
    assert POLICIES["PURGE_FILES"].wait(1, 0.0) == pytest.approx(0.02)
    assert POLICIES["PURGE_FILES"].wait(1, 1.0) == pytest.approx(0.1)
    assert POLICIES["PURGE_FILES"].wait(20, 1.0) == POLICIES["PURGE_FILES"].wait(60, 1.0)


def test_a_policy_is_exhausted_at_its_last_attempt_and_one_without_a_number_never() -> None:
    assert [POLICIES["HUB"].exhausted(attempt) for attempt in (4, 5, 6)] == [False, True, True]
    assert not POLICIES["REDDIT"].exhausted(1_000_000)


def test_only_statuses_that_may_pass_are_tried_again() -> None:
    for name in ("REDDIT", "IMAGES", "CAPTIONS", "HUB"):
        assert POLICIES[name].retries(503), name
        assert not any(POLICIES[name].retries(status) for status in (200, 401, 404)), name
    assert not POLICIES["REDDIT"].retries(429)  # pauses every process of the client instead


def test_the_settings_attempts_begin_as_the_policies_say() -> None:
    assert Settings().images.attempts == POLICIES["IMAGES"].attempts
    assert Settings().caption_server.attempts == POLICIES["CAPTIONS"].attempts


def test_policies_cannot_be_changed_while_they_are_in_use() -> None:
    with pytest.raises(AttributeError):
        setattr(POLICIES["IMAGES"], fields(Retry)[0].name, 1.0)


def test_retry_after_is_read_as_seconds_or_as_a_date_on_the_servers_clock() -> None:
    now = datetime(2020, 1, 1, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    date = format_datetime(now, usegmt=True)
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": "1.5"}) == 1.5
    assert retry_after({"retry-after": later, "date": date}) == 90
    assert retry_after({"retry-after": date, "date": later}) == 0
    for useless in ({}, {"retry-after": "soon"}, {"retry-after": later}, {"retry-after": "-1"}):
        assert retry_after(useless) is None
