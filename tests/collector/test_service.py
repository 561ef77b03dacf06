"""The collector that runs without an end, against the simulated Reddit with all its faults."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mmrl.cli.terminal.collector_lines import line, lines
from mmrl.collector.cursors import read_status
from mmrl.collector.service import Service
from mmrl.collector.writer import Keeper, SweepReport
from mmrl.errors import ConfigError, SourceError, StorageError
from mmrl.sandbox import Faults, praw_settings
from mmrl.sandbox.world import SUBREDDITS
from mmrl.sources.budget import Budget, BudgetState
from mmrl.sources.reddit.api import about, connect, newest
from mmrl.sources.reddit.source import RedditSource
from mmrl.sources.transport import Transport
from tests.support.service_trial import HOUR, START, Trial, busy


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that come too late are given up on soon."""
    monkeypatch.setattr("prawcore.sessions.TIMEOUT", 0.3)


# Nothing lost, nothing twice


def test_every_post_is_kept_once_with_observations_at_its_ages(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(busy(600, 1.5), checkpoints_hours=[0.5, 1])
    status = trial.run(2.8)
    assert sorted(trial.ids()) == sorted(trial.there())
    observations = trial.catalog.read("observations", ["post_id", "observed_at"]).to_pylist()
    ages: dict[str, list[float]] = {}
    created = {post.id: post.created for post in trial.server.world}
    for observation in observations:
        age = observation["observed_at"].timestamp() - created[observation["post_id"]]
        ages.setdefault(observation["post_id"], []).append(age / 60)
    for post_id in trial.ids():
        first, second, third = sorted(ages[post_id])
        assert 0 <= first <= 16  # the longest time between two polls, and a commit
        assert 30 <= second <= 40
        assert 60 <= third <= 70
    assert (status.kept, status.observations, status.observations_late) == (600, 1_200, 0)
    assert status.state == "stopped"
    assert not trial.told


@pytest.mark.slow
def test_requests_for_a_thousand_posts_and_an_observation_are_at_most_35(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(busy(1_000, 0.5), checkpoints_hours=[0.5, 1, 1.5, 2])
    trial.run(0.7)
    polls_after = trial.server.stats()["requests"]["r/*/new"]
    trial.run(2)
    found = trial.server.stats()["requests"]
    total = sum(found.values()) - (found["r/*/new"] - polls_after)
    assert trial.catalog.count("observations") == 5_000
    assert total / 5 <= 35


def test_subscribers_are_asked_for_once_an_hour(
    make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    trial = make_trial(busy(50, 3))

    def counted(*given: Any) -> Iterator[list[dict[str, Any]]]:
        asked.append((trial.server.now - START.timestamp()) / 3_600)
        return about(*given)

    monkeypatch.setattr("mmrl.sources.reddit.api.about", counted)
    trial.run(2.2)
    assert asked == pytest.approx([0, 1, 2], abs=0.1)


ALL_FAULTS: dict[str, Any] = {
    "too_many": 0.02,
    "too_many_unsaid": 0.02,
    "server_error": 0.08,
    "reset": 0.03,
    "cut": 0.03,
    "slow": 0.01,
    "expired_token": 0.05,
    "garbled": 0.03,
    "duplicates": 0.05,
    "suspended": 0.1,
    "held_back": 0.05,
    "slow_seconds": 0.5,
    "seed": 3,
}


@pytest.mark.slow
def test_with_all_faults_and_restarts_nothing_is_lost_and_nothing_twice(
    make_trial: Callable[..., Trial], quick: None
) -> None:
    trial = make_trial(busy(700, 3), checkpoints_hours=[0.5])
    trial.server.misfortune.set(Faults(**ALL_FAULTS))
    late = 0
    for ahead in (0.0, 300.0, -300.0):
        status = trial.run(1.4, ahead)
        late += status.observations_late
        assert status.faults
    ids = trial.ids()
    assert len(ids) == len(set(ids)) == 700
    assert trial.catalog.count("observations") >= 2 * 680
    assert late == 0
    assert trial.server.stats()["most_in_a_minute"] <= 100


@pytest.mark.slow
def test_an_hours_outage_is_survived_said_and_made_up_for(make_trial: Callable[..., Trial]) -> None:
    trial = make_trial(busy(900, 3), checkpoints_hours=[0.5])
    begin = START.timestamp() + 3_600
    trial.server.misfortune.set(Faults(outage_from=begin, outage_until=begin + 3_600))
    trial.run(1.5)
    status = read_status(trial.catalog)
    assert status is not None
    assert status["failing"]
    assert "does not answer" in status["last_error"]
    last = trial.run(2)
    assert sorted(trial.ids()) == sorted(trial.there())
    assert not last.failing
    assert any("works again" in sentence for sentence in trial.told)
    looked = set(trial.catalog.read("observations", ["post_id"])["post_id"].to_pylist())
    assert len(looked) == 900


@pytest.mark.slow
def test_a_gap_deeper_than_any_listing_is_filled_by_ids(make_trial: Callable[..., Trial]) -> None:
    """One subreddit, off for as long as 1,500 posts take: its listing shows 1,000 of them."""
    trial = make_trial(busy(2_000, 4, subreddits=1), checkpoints_hours=[30])
    trial.run(0.5)
    trial.server.now += 3 * 3_600
    trial.run(0.05)
    assert trial.catalog.count("gaps")
    trial.run(1.0)
    assert sorted(trial.ids()) == sorted(trial.there())
    for gap in trial.catalog.read("gaps").to_pylist():
        assert (gap["state"], gap["filled_to"]) == ("filled", gap["from_id"] + 1)
    assert any("left to ask for" in sentence for sentence in trial.told)


def test_a_subreddit_that_was_empty_when_first_read_leaves_no_gap_from_the_first_id_on(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(busy(6_000, 6, subreddits=2), checkpoints_hours=[30])
    trial.server.now -= 60
    trial.run(0.5)
    trial.server.now += 4 * 3_600
    trial.run(0.01)
    gaps = trial.catalog.read("gaps").to_pylist()
    assert {gap["subreddits"] for gap in gaps} == {name.lower() for name in SUBREDDITS[:2]}
    assert min(gap["from_id"] for gap in gaps) >= 0x40000000


@pytest.mark.slow
def test_a_gap_in_three_subreddits_is_first_closed_by_their_own_listings(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(busy(2_000, 4), checkpoints_hours=[30])
    trial.run(0.5)
    trial.server.now += 3 * 3_600
    trial.run(0.6)
    assert sorted(trial.ids()) == sorted(trial.there())
    assert trial.catalog.count("gaps") == 0


@pytest.mark.slow
def test_posts_that_show_up_late_in_their_old_place_are_found(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(busy(400, 4), checkpoints_hours=[30])
    trial.server.misfortune.set(Faults(held_back=0.2, held_back_seconds=1_500))
    trial.run(5)
    assert sorted(trial.ids()) == sorted(trial.there())


def test_the_clock_of_reddits_answers_dates_the_observations(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(busy(100, 1))
    status = trial.run(1.4, ahead=600.0)
    assert status.skew == pytest.approx(-600, abs=3)
    for row in trial.catalog.read("posts", ["created_at", "first_seen_at"]).to_pylist():
        assert (
            timedelta(seconds=-2) <= row["first_seen_at"] - row["created_at"] < timedelta(hours=1)
        )
    assert sorted(trial.ids()) == sorted(trial.there())


# One client, several processes; two clients


def test_observations_may_be_left_to_another_process(make_trial: Callable[..., Trial]) -> None:
    trial = make_trial(busy(100, 1), checkpoints_hours=[0.5])
    status = trial.run(2, observing=False)
    assert status.observations == 0
    assert trial.catalog.count("observations") == 100


@pytest.mark.slow
def test_a_tight_limit_is_kept_and_discovery_goes_first(make_trial: Callable[..., Trial]) -> None:
    """Twenty requests in ten minutes: two a minute. Enough for polls and few observations."""
    trial = make_trial(busy(400, 4), limit=20, checkpoints_hours=[0.5, 1, 1.5, 2, 2.5])
    trial.run(5)
    assert trial.server.stats()["most_in_a_minute"] <= 4
    assert "429 Too Many Requests" not in trial.run(0.1).faults
    assert sorted(trial.ids()) == sorted(trial.there())


@pytest.mark.parametrize("once", [True, False])
def test_wrong_credentials_end_it_at_once_with_the_reason(
    make_trial: Callable[..., Trial], once: bool
) -> None:
    trial = make_trial(busy(50, 1))
    given = {**praw_settings(trial.server.url), "password": "hush-hush"}
    transport = Transport(trial.clock)
    service = Service(
        RedditSource(connect(transport=transport, **given)),
        *(transport, trial.catalog, trial.settings),
    )
    with pytest.raises(ConfigError, match="refuses the credentials") as caught:
        service.once() if once else service.run(trial.clock.now() + HOUR)
    assert "hush" not in str(caught.value)
    assert trial.server.stats()["total"] <= 2
    account = read_status(trial.catalog)
    assert account is not None
    assert (account["state"], account["last_error"]) == ("failed", str(caught.value))


def test_what_nobody_foresaw_does_not_end_it(
    make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = make_trial(busy(100, 1))
    service = trial.service()
    offer, calls = Keeper.offer, []

    def odd(keeper: Keeper, submissions: Any) -> list[str]:
        calls.append(1)
        if len(calls) == 2:
            raise KeyError("hush")
        return offer(keeper, submissions)

    monkeypatch.setattr(Keeper, "offer", odd)
    status = service.run(trial.clock.now() + 1.5 * HOUR)
    assert sorted(trial.ids()) == sorted(trial.there())
    assert status.last_error is not None
    assert "KeyError in test_service.py" in status.last_error
    assert not any("hush" in sentence for sentence in trial.told)


def test_a_store_that_does_not_tell_of_the_budget_does_not_end_it(
    make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = make_trial(busy(50, 0.5))
    service = trial.service()
    state, calls = Budget.state, []

    def away(budget: Budget, now: float) -> BudgetState:
        calls.append(now)
        if len(calls) > 3:
            raise StorageError("the store is away")
        return state(budget, now)

    monkeypatch.setattr(Budget, "state", away)
    status = service.run(trial.clock.now() + HOUR)
    assert sorted(trial.ids()) == sorted(trial.there())
    assert (status.state, status.limit is not None, len(calls) > 3) == ("stopped", True, True)


def test_no_secret_reaches_a_log_a_sentence_or_the_catalog(
    make_trial: Callable[..., Trial], quick: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")  # of every library, too
    trial = make_trial(busy(100, 1), checkpoints_hours=[0.5])
    trial.server.misfortune.set(Faults(**ALL_FAULTS))
    status = trial.run(1)
    assert len(caplog.records) > 20
    assert trial.server.tokens
    said = "\n".join([caplog.text, *trial.told, json.dumps(status.as_dict())])
    given = praw_settings(trial.server.url)
    for secret in (given["client_secret"], given["password"], *trial.server.tokens):
        assert secret not in said
        for file in Path(trial.catalog.home).rglob("*"):
            assert file.is_dir() or secret.encode() not in file.read_bytes()


# What it says


def test_the_live_lines_and_the_line_of_a_journal_say_how_it_does(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(busy(300, 3), checkpoints_hours=[0.5])
    begin = START.timestamp() + 3_600
    trial.server.misfortune.set(Faults(outage_from=begin, private=[SUBREDDITS[2]]))
    status = trial.run(1.1)
    counts = ", ".join(f"{name} {count}" for name, count in status.subreddits.items())
    for said in (line(status), lines(status)):
        assert f"{status.seen:,}" in said
        assert f"{status.kept:,} kept" in said
        assert f"{status.used} of 100 requests in the last minute" in said
        assert "min since the last poll, newest post" in said
        assert f"r/{SUBREDDITS[2]}" in said
        assert "Reddit does not answer as it should" in said
    assert f"kept ({counts})" in lines(status)


def test_the_catalog_holds_the_services_own_account_of_itself(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(busy(60, 1))
    trial.run(1)
    status = read_status(trial.catalog)
    assert status is not None
    assert (status["state"], status["kept"]) == ("stopped", len(trial.ids()))
    assert status["limit"] == 100
    assert status["process"] == os.getpid()


def test_what_waits_is_written_when_it_is_stopped(make_trial: Callable[..., Trial]) -> None:
    trial = make_trial(busy(100, 1), commit_seconds=10_000)
    trial.server.now += 3_000
    service = trial.service()

    def stop_after_a_poll() -> None:
        if trial.server.stats()["requests"].get("r/*/new", 0) >= 1:
            trial.clock.stop()

    trial.clock.on_sleep = stop_after_a_poll
    status = service.run()
    assert status.state == "stopped"
    assert sorted(trial.ids()) == sorted(
        post.id for post in trial.server.world if post.created <= START.timestamp() + 3_000
    )
    observations = trial.catalog.read("observations", ["author_link_karma"])
    assert observations["author_link_karma"].null_count == 0


def test_posts_are_written_without_their_authors_facts_when_there_is_no_later(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(busy(100, 1))
    trial.server.now += 3_600
    transport = Transport(trial.clock)
    reddit = connect(transport=transport, **praw_settings(trial.server.url))
    keeper = Keeper(RedditSource(reddit), trial.catalog, transport.now, SweepReport())
    keeper.offer(newest(reddit, trial.settings.subreddits)[0])
    transport.patience = 0
    trial.server.misfortune.set(Faults(server_error=1))
    with pytest.raises(SourceError):
        keeper.flush()
    assert not trial.ids()
    keeper.flush(final=True)
    observations = trial.catalog.read("observations", ["author_link_karma"])
    assert (
        len(trial.ids())
        == observations.num_rows
        == observations["author_link_karma"].null_count
        == 100
    )
