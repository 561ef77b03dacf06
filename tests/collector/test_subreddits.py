"""Subreddits that close, open, are added, or are busier than others."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mmrl.sandbox import Faults, World
from mmrl.sandbox.world import SUBREDDITS
from mmrl.sources.reddit.api import newest
from mmrl.sources.reddit.source import RedditSource, to_base36
from tests.support.service_trial import HOUR, START, Trial, busy


@pytest.mark.slow
def test_a_closed_subreddit_is_named_left_out_and_read_again_when_it_opens(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(busy(400, 9, subreddits=4), checkpoints_hours=[90])
    private, renamed, banned = SUBREDDITS[:3]
    shut = {"private": [private], "renamed": {renamed: "Elsewhere"}, "banned": [banned]}
    trial.server.misfortune.set(Faults(**shut))
    status = trial.run(3)
    assert status.left_out == {
        private: "403 Forbidden",
        renamed: "302 Found",
        banned: "404 Not Found",
    }
    assert len([sentence for sentence in trial.told if "is left out" in sentence]) == 3
    asked = trial.server.stats()["requests"]["r/*/new"]
    assert trial.run(2).left_out == status.left_out  # also after a restart
    assert trial.server.stats()["requests"]["r/*/new"] - asked < 20  # not asked for all the time
    trial.server.misfortune.set(Faults())
    trial.run(4.5)
    assert sorted(trial.ids()) == sorted(trial.there())
    assert any("is shown again" in sentence for sentence in trial.told)


@pytest.mark.slow
def test_nothing_posted_while_a_subreddit_was_closed_is_lost(
    make_trial: Callable[..., Trial],
) -> None:
    """More than its listing shows; and for a while nobody told that it was closed."""
    trial = make_trial(busy(3_600, 6, subreddits=2), checkpoints_hours=[90])
    trial.run(1.3)
    trial.server.misfortune.set(Faults(private=[SUBREDDITS[0]]))
    trial.run(4.2)
    trial.server.misfortune.set(Faults())
    trial.run(3)
    assert sorted(trial.ids()) == sorted(trial.there())
    assert set(trial.catalog.read("gaps")["state"].to_pylist()) == {"filled"}


@pytest.mark.slow
def test_a_subreddit_that_is_added_later_starts_with_what_its_listing_shows(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(busy(300, 3), checkpoints_hours=[90], subreddits=list(SUBREDDITS[:2]))
    trial.run(1.5)
    assert len(trial.ids()) == pytest.approx(90, abs=15)  # up to the last poll
    trial.settings.subreddits.append(SUBREDDITS[2])
    trial.run(2)
    assert sorted(trial.ids()) == sorted(trial.there())
    assert trial.catalog.count("gaps") == 0


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The subreddits of each first page of a listing that is asked for."""
    asked: list[list[str]] = []

    def note(reddit: Any, names: Any, after: str | None = None) -> Any:
        if after is None:
            asked.append(list(names))
        return newest(reddit, names, after)

    monkeypatch.setattr("mmrl.sources.reddit.api.newest", note)
    return asked


@pytest.mark.slow
def test_a_closed_subreddit_is_asked_for_once_a_day(
    make_trial: Callable[..., Trial], listings: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmrl.collector.service._HEARTBEAT", 2 * HOUR)  # two days in a few seconds
    trial = make_trial(busy(60, 50), checkpoints_hours=[90])
    trial.server.misfortune.set(Faults(private=[SUBREDDITS[0]]))
    for hours in (23, 3, 23):  # a restart does not change that
        trial.run(hours)
    assert listings.count([SUBREDDITS[0]]) == 3


@pytest.mark.slow
def test_groups_are_polled_as_often_as_their_posts_come(
    make_trial: Callable[..., Trial], listings: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RedditSource, "traits", replace(RedditSource.traits, together=2))
    posts = [
        {
            "id": to_base36(0x40000000 + number),
            "title": f"Post {number}",
            "subreddit": SUBREDDITS[number % 2 if number % 50 else 2 + number // 50 % 2],
            "created": START.timestamp() + number * 6,
            "score": 1,
        }
        for number in range(1_800)
    ]
    trial = make_trial(World.from_posts(posts), checkpoints_hours=[90])
    trial.settings.subreddits = list(SUBREDDITS[:4])
    trial.run(3.2)
    assert sorted(trial.ids()) == sorted(trial.there())
    often, seldom = (
        sum(names == list(SUBREDDITS[start : start + 2]) for names in listings) for start in (0, 2)
    )
    assert 11 <= seldom <= 18  # at the longest time between two polls, a quarter of an hour
    assert 32 <= often <= 46  # fifty posts take five minutes


@pytest.mark.slow
def test_posts_found_through_comments_are_a_part_of_all(make_trial: Callable[..., Trial]) -> None:
    world = World.make(posts=300, seed=2, days=3)
    trial = make_trial(world, discovery="comments", poll_seconds=[120, 120], checkpoints_hours=[90])
    trial.settings.subreddits = list(SUBREDDITS[:4])
    trial.server.now += 86_400
    trial.run(5)
    ids = set(trial.ids())
    assert 10 < len(ids) < len(trial.there())
    found = trial.catalog.read("posts", ["subreddit"])["subreddit"].to_pylist()
    assert set(found) <= set(SUBREDDITS[:4])
