"""The collector and the backfill on an archive: nothing lost, nothing twice, never impolite."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from mmrl.catalog import Catalog
from mmrl.collector.backfill import Backfill
from mmrl.collector.once import sweep
from mmrl.collector.rules import newest_rules
from mmrl.errors import InputError, SourceError
from mmrl.pipeline import Silent
from mmrl.sandbox import Faults, World, praw_settings
from mmrl.sandbox.archive import retrievals
from mmrl.sources.reddit.api import connect
from mmrl.sources.reddit.source import RedditSource
from mmrl.times import from_epoch
from tests.support.archive_trial import ArchiveTrial, archives
from tests.support.service_trial import HOUR, START, busy

Make = Callable[[World], ArchiveTrial]
DAY = 24 * HOUR
FAULTS: dict[str, Any] = {
    "server_error": 0.05,
    "reset": 0.02,
    "cut": 0.02,
    "garbled": 0.02,
    "too_many": 0.01,
    "timeouts": 0.3,
    "timeout_over": 40,
    "duplicates": 0.05,
    "late": 0.1,
    "late_seconds": 3 * 3_600,
    "second_late": 0.1,
    "second_late_seconds": 5 * 3_600,
    "archive_away_from": START.timestamp() + 3 * 3_600,
    "archive_away_until": START.timestamp() + 6 * 3_600,
    "changed": 0.1,
    "seed": 5,
}


@pytest.fixture
def make(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    # Days in a few seconds: without a heartbeat's commit each minute.
    monkeypatch.setattr("mmrl.collector.service._HEARTBEAT", 6 * HOUR)
    with archives(catalog) as made:
        yield made


class Killed(BaseException):
    """Stands for a kill: nothing after it is done."""


def killed_after(count: int) -> Callable[..., Any]:
    """A function in place of another, which runs `count` times and is then killed."""
    left = [count]

    def made(real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*given, **options)

        return counted

    return made


def assert_all_there(trial: ArchiveTrial) -> None:
    """Every post once, with its first observation and its settled one, dated as archived."""
    ids = trial.ids()
    assert len(ids) == len(set(ids))
    assert set(ids) == {post.id for post in trial.server.world}
    faults = trial.server.misfortune.faults
    rows = trial.observations()
    keys = [(row["post_id"], row["settled"]) for row in rows]
    assert Counter(keys).most_common(1)[0][1] == 1
    settled = {row["post_id"]: row for row in rows if row["settled"]}
    for post in trial.server.world:
        first, second = retrievals(post, faults)
        assert settled[post.id]["observed_at"].timestamp() == int(second)
        assert settled[post.id]["score"] == post.score_at(second)
        row = next(row for row in rows if row["post_id"] == post.id and not row["settled"])
        assert row["observed_at"].timestamp() == int(first)
        assert row["score"] in (None, 1)


@pytest.mark.slow
def test_every_post_is_kept_once_and_its_score_when_it_has_settled(make: Make) -> None:
    trial = make(busy(120, 5))
    status = trial.run(43)
    assert_all_there(trial)
    assert (status.kept, status.observations, status.observations_late) == (120, 120, 0)
    assert status.state == "stopped"
    assert not trial.told
    names = {name.lower() for name in trial.settings.reddit.subreddits}
    assert set(newest_rules(trial.catalog)) == names
    assert trial.server.stats()["requests"]["archive/subreddits/rules"] == 2  # once a day


@pytest.mark.slow
def test_with_all_faults_and_twenty_kills_nothing_is_lost_and_scores_come_in_time(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day of posts, an archive away for three hours of it, and twenty kills between commits."""
    trial = make(busy(600, 24))
    trial.server.misfortune.set(Faults(**FAULTS))
    written: dict[str, float] = {}
    append = Catalog.insert, Catalog.append

    def noting(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(self: Catalog, table: str, rows: Any) -> Any:
            done = real(self, table, rows)
            if table == "observations":
                for row in rows.to_pylist():
                    if row["settled"]:
                        written.setdefault(row["post_id"], trial.server.now)
            return done

        return write

    monkeypatch.setattr(Catalog, "insert", noting(append[0]))
    monkeypatch.setattr(Catalog, "append", noting(append[1]))
    upsert = Catalog.upsert
    kills = 0
    while trial.server.now < START.timestamp() + 72 * 3_600:
        with monkeypatch.context() as patch:
            if kills < 20:  # at a later commit each time
                patch.setattr(Catalog, "upsert", killed_after(2 + kills // 5)(upsert))
            try:
                trial.run((START.timestamp() + 72 * 3_600 - trial.server.now) / 3_600)
            except Killed:
                kills += 1
    assert kills == 20
    assert_all_there(trial)
    faults = trial.server.misfortune.faults
    waited = [written[post.id] - retrievals(post, faults)[1] for post in trial.server.world]
    assert max(waited) <= 2 * 3_600


def backfill(trial: ArchiveTrial, days: float = 90) -> Backfill:
    source, trial.transport = trial.connect()
    until = trial.clock.now()
    names = trial.settings.reddit.subreddits
    return Backfill(
        source, trial.transport, trial.catalog, names, until - timedelta(days=days), until
    )


def test_a_backfill_asks_for_each_post_once(make: Make) -> None:
    trial = make(busy(900, 60))
    trial.server.now += 120 * 3_600
    trial.server.misfortune.set(Faults(capacity=100))
    backfill(trial).run(Silent())
    assert_all_there(trial)
    times = trial.archive["posts_by_times_sent"]
    assert times.get(1, 0) >= 870  # the others are of seconds that a page's edge cut
    assert set(times) <= {1, 2}
    assert trial.archive["requests"] <= 900 / 100 + 6
    requests = trial.archive["requests"]
    again = backfill(trial)
    again.run(Silent())
    assert again.report.new == 0
    assert trial.archive["requests"] <= requests + 3  # the last hours, which may have been late


@pytest.mark.parametrize(
    ("method", "count"), [("insert", 1), ("insert", 4), ("insert", 7), ("upsert", 3), ("upsert", 5)]
)
def test_a_killed_backfill_asks_for_one_page_again_at_most(
    make: Make, monkeypatch: pytest.MonkeyPatch, method: str, count: int
) -> None:
    trial = make(busy(400, 60, subreddits=1))
    trial.server.now += 120 * 3_600
    trial.server.misfortune.set(Faults(capacity=100))
    with monkeypatch.context() as patch:
        patch.setattr(Catalog, method, killed_after(count)(getattr(Catalog, method)))
        with pytest.raises(Killed):
            backfill(trial).run(Silent())
    backfill(trial).run(Silent())
    assert_all_there(trial)
    assert trial.archive["requests"] <= 400 / 100 + 2 + 1 + 1


def test_a_backfill_says_beforehand_about_what_it_will_take(make: Make) -> None:
    trial = make(busy(900, 60))
    trial.server.now += 60 * 3_600
    trial.server.misfortune.set(Faults(capacity=100))
    work = backfill(trial, days=2.5)
    estimate = work.sample()
    requests, received = trial.archive["requests"], trial.transport.received
    assert requests == 3
    work.run(Silent())
    assert estimate.posts == pytest.approx(600, rel=0.15)
    assert estimate.requests == pytest.approx(trial.archive["requests"] - requests, abs=4)
    assert estimate.received == pytest.approx(trial.transport.received - received, rel=0.2)
    assert f"{estimate.posts:,} more posts" in estimate.sentence()
    assert "images" not in estimate.sentence()  # none of them has any


def test_a_backfill_says_beforehand_what_the_pictures_will_take(make: Make) -> None:
    trial = make(busy(900, 60, pictured=True))
    trial.server.now += 60 * 3_600
    trial.server.misfortune.set(Faults(capacity=100))
    work = backfill(trial, days=2.6)
    estimate = work.sample()
    work.run(Silent())
    assert trial.catalog.count("posts", "image_url IS NOT NULL") == 450
    assert estimate.pictures == pytest.approx(450, rel=0.15)
    size = f"{0.4 * estimate.pictures:,.0f} MB at 0.4 MB each."
    told = f"Their images are about {estimate.pictures} requests more, and about {size}"
    assert estimate.sentence().endswith(told)


def test_a_backfill_that_its_first_pages_end_says_what_the_pictures_will_take(make: Make) -> None:
    trial = make(busy(40, 60, pictured=True))
    trial.server.now += 120 * 3_600
    estimate = backfill(trial).sample()
    assert estimate.sentence() == (
        "The first answers held all posts. Their images are about 20 requests more, and about "
        "8 MB at 0.4 MB each."
    )
    assert backfill(trial).sample().sentence() == "Nothing is left to bring."


def test_a_backfill_of_a_silent_archive_keeps_what_was_read(make: Make) -> None:
    trial = make(busy(300, 60, subreddits=1))
    trial.server.now += 120 * 3_600
    trial.server.misfortune.set(Faults(capacity=100))
    work = backfill(trial)
    work.sample()
    trial.server.misfortune.set(Faults(capacity=100, server_error=1))
    with pytest.raises(SourceError, match="Arctic Shift does not answer"):
        work.run(Silent())
    assert len(trial.ids()) == 100
    trial.server.misfortune.set(Faults(capacity=100))
    backfill(trial).run(Silent())
    assert_all_there(trial)


def test_a_backfill_names_subreddits_without_a_post_and_refuses_an_empty_time(make: Make) -> None:
    trial = make(busy(60, 5))
    trial.settings.reddit.subreddits.append("NeverWas")
    trial.server.now += 50 * 3_600
    work = backfill(trial)
    work.run(Silent())
    assert work.empty == ["neverwas"]
    source, transport = trial.connect()
    with pytest.raises(InputError, match="no post can be in between"):
        Backfill(source, transport, trial.catalog, ["a"], START, START)


def test_the_collector_goes_on_from_a_backfill_without_asking_for_the_past(make: Make) -> None:
    trial = make(busy(300, 50))
    trial.server.now += 48 * 3_600
    backfill(trial).run(Silent())
    known = len(trial.ids())
    assert known > 250
    status = trial.run(4)
    assert len(trial.ids()) == 300
    assert status.seen < 100


def test_a_post_seen_by_both_sources_is_one_post_with_observations_of_each(make: Make) -> None:
    trial = make(busy(40, 2))
    trial.server.now += 3 * 3_600
    trial.run(0.1)
    reddit = RedditSource(connect(**praw_settings(trial.server.url)))
    names = trial.settings.reddit.subreddits
    report = sweep(reddit, trial.catalog, names, from_epoch(trial.server.now))
    assert (report.seen, report.new) == (40, 0)
    sweep(reddit, trial.catalog, names, from_epoch(trial.server.now + 60))
    assert len(trial.ids()) == 40
    rows = trial.observations()
    assert Counter(row["source"] for row in rows) == {"sandbox-arctic-shift": 40, "sandbox": 40}
    by_reddit = [row for row in rows if row["source"] == "sandbox"]
    assert all(row["author_link_karma"] is not None for row in by_reddit)
    assert set(trial.catalog.read("posts")["source"].to_pylist()) == {"sandbox-arctic-shift"}
