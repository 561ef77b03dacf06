"""Posts that Reddit took away: what observations tell, and what asking again tells."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from mmrl.catalog import Catalog
from mmrl.config import PurgeSettings, Settings
from mmrl.errors import SourceError
from mmrl.pipeline import Silent
from mmrl.purge.recheck import RecheckReport, due, recheck
from mmrl.purge.removals import find_gone
from mmrl.sources.reddit import api as api
from tests.support.local_reddit import LocalReddit
from tests.support.purge_home import AS_OF, START, keep, make_post, observation, submission

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTINGS = Settings()


# Who is gone


def gone_after(catalog: Catalog, days: float = 20, **settings: Any) -> tuple[dict[str, str], int]:
    found = find_gone(catalog, PurgeSettings(**settings), START + days * DAY)
    return found.erase, found.waiting.total() + found.kept.total()


def test_an_observation_that_found_a_post_deleted_is_enough(catalog: Catalog) -> None:
    post = make_post()
    keep(catalog, [post, make_post()])
    observation(catalog, post.post_id, START + HOUR, "deleted")
    assert gone_after(catalog, 0.05) == ({post.post_id: "deleted"}, 0)


def test_what_moderators_removed_may_come_back_for_a_day(catalog: Catalog) -> None:
    post = make_post()
    keep(catalog, [post])
    observation(catalog, post.post_id, START + HOUR, "moderator")
    assert gone_after(catalog, 0.5) == ({}, 1)
    observation(catalog, post.post_id, START + 20 * HOUR, "moderator")
    assert gone_after(catalog, 1.1) == ({post.post_id: "moderator"}, 0)
    assert gone_after(catalog, 1.1, moderated=False) == ({}, 1)
    observation(catalog, post.post_id, START + 21 * HOUR, None)
    assert gone_after(catalog, 9) == ({}, 0)
    observation(catalog, post.post_id, START + 22 * HOUR, "moderator")
    assert gone_after(catalog, 1.5) == ({}, 1)  # counted from when it was removed again


def test_a_post_that_reddit_does_not_show_is_waited_for_a_week(catalog: Catalog) -> None:
    post = make_post()
    keep(catalog, [post])
    observation(catalog, post.post_id, START + HOUR, "absent")
    assert gone_after(catalog, 6) == ({}, 1)
    assert gone_after(catalog, 8) == ({post.post_id: "absent"}, 0)


# Asking Reddit


def as_reddit(local_reddit: LocalReddit) -> Any:
    """The small server as the source of Reddit's own posts; it is known to be none by its URL."""
    source = local_reddit.source()
    return SimpleNamespace(name="reddit", traits=source.traits, posts=source.posts)


def test_it_asks_for_the_oldest_check_first_a_hundred_at_once(
    catalog: Catalog, local_reddit: LocalReddit
) -> None:
    posts = [make_post() for _ in range(250)]
    keep(catalog, posts)
    catalog.delete("checks", "true")
    local_reddit.posts = {post.post_id: submission(post) for post in posts}
    local_reddit.posts[posts[7].post_id]["removed_by_category"] = "deleted"
    local_reddit.posts[posts[8].post_id]["author"] = "[deleted]"
    local_reddit.hidden = {posts[9].post_id}
    source = as_reddit(local_reddit)

    def ask(at: datetime, **limits: Any) -> RecheckReport:
        report = RecheckReport()
        recheck(source, catalog, DAY, lambda: at, Silent(), report, **limits)
        return report

    first = ask(AS_OF, requests=2)
    assert (first.due, first.checked, first.requests) == (250, 200, 2)
    rest = due(catalog, DAY, AS_OF)
    assert len(rest) == 50
    second = ask(AS_OF + HOUR)
    assert (second.checked, second.requests) == (50, 1)
    assert first.gone + second.gone == {"deleted": 1, "account_deleted": 1, "absent": 1}
    assert ask(AS_OF + 2 * HOUR).due == 0
    assert set(due(catalog, DAY, AS_OF + DAY + HOUR / 2)) == {p.post_id for p in posts} - set(rest)
    assert due(catalog, DAY, AS_OF + 3 * DAY)[200:] == sorted(rest)
    assert ask(AS_OF + 3 * DAY, until=AS_OF).checked == 0

    gone = find_gone(catalog, PurgeSettings(), AS_OF + 8 * DAY)
    assert gone.erase == {
        posts[7].post_id: "deleted",
        posts[8].post_id: "account_deleted",
        posts[9].post_id: "absent",
    }
    ask(AS_OF + 9 * DAY)  # still absent: since the first check, not since this one
    assert posts[9].post_id in find_gone(catalog, PurgeSettings(), AS_OF + 9 * DAY).erase
    local_reddit.hidden = set()
    ask(AS_OF + 11 * DAY)
    assert posts[9].post_id not in find_gone(catalog, PurgeSettings(), AS_OF + 12 * DAY).erase


def test_checks_made_before_reddit_falls_silent_are_kept(
    catalog: Catalog, local_reddit: LocalReddit
) -> None:
    keep(catalog, [make_post() for _ in range(150)])
    catalog.delete("checks", "true")
    source = as_reddit(local_reddit)

    def silent_later(ids: list[str]) -> Any:
        if len(local_reddit.requests) >= 2:
            raise SourceError("Reddit does not answer.")
        return source.posts(ids)

    silent = SimpleNamespace(name=source.name, traits=source.traits, posts=silent_later)
    report = RecheckReport()
    with pytest.raises(SourceError):
        recheck(silent, catalog, DAY, lambda: AS_OF, Silent(), report)
    assert catalog.count("checks") == report.checked == 100


def test_a_sandbox_is_asked_for_its_own_posts_only(catalog: Catalog) -> None:
    simulated, real, own = make_post(), make_post(), make_post()
    keep(catalog, [simulated], source="sandbox")
    keep(catalog, [real], source="dump:RS_2023-11.zst")
    keep(catalog, [own], source="table:mine.csv")
    assert due(catalog, DAY, AS_OF, "sandbox") == [simulated.post_id]
    assert due(catalog, DAY, AS_OF) == [real.post_id]
