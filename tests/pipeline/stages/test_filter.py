"""Which posts are worked on, and the reason for each other one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from mmrl.catalog import Catalog, Reason
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import FilterSettings, ImageSettings, RedditSettings, Settings
from mmrl.pipeline import Silent, run_stage
from mmrl.pipeline.stages.filter import FilterStage, decide, fingerprint
from tests.support.marks import forget_marks

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
IMAGELESS = {"filter": FilterSettings(require_image=False)}


def facts(**changes: Any) -> dict[str, Any]:
    """An image post as the filter sees it."""
    return {
        "subreddit": "aww",
        "over_18": False,
        "is_video": False,
        "is_gallery": False,
        "image_url": "https://i.redd.it/a.jpg",
        "source": "reddit",
        "score": 5,
        "removed_by": None,
        **changes,
    }


def settings(**changes: Any) -> Settings:
    return Settings(**changes)


def add(catalog: Catalog, number: int, seen_at: datetime = NOW, **changes: Any) -> str:
    """Puts a post with one look into the catalog."""
    given = facts(**changes)
    post_id = f"p{number}"
    post = {
        **{name: given[name] for name in ("subreddit", "over_18", "is_video", "image_url")},
        "source": given["source"],
        "post_id": post_id,
        "title": "A cat",
        "created_at": seen_at,
        "first_seen_at": seen_at,
    }
    catalog.insert("posts", pa.Table.from_pylist([post], schema=SCHEMAS["posts"]))
    observation(catalog, post_id, seen_at, score=given["score"], removed_by=given["removed_by"])
    return post_id


def observation(catalog: Catalog, post_id: str, at: datetime, **values: Any) -> None:
    row = {"post_id": post_id, "observed_at": at, "settled": True, **values}
    catalog.insert("observations", pa.Table.from_pylist([row], schema=SCHEMAS["observations"]))


def decisions(catalog: Catalog) -> dict[str, str | None]:
    rows = catalog.read("selection").to_pylist()
    return {row["post_id"]: row["reason"] for row in rows}


@pytest.mark.parametrize(
    ("post", "given", "reason"),
    [
        ({}, {}, None),
        ({"removed_by": "moderator"}, {}, Reason.REMOVED),
        ({"is_video": True, "image_url": None}, {}, Reason.VIDEO),
        ({"image_url": None}, {}, Reason.NO_IMAGE),
        ({"image_url": None, "is_gallery": True}, {}, Reason.GALLERY_UNFINISHED),
        ({"image_url": "https://example.org/a.jpg"}, {}, Reason.HOST_NOT_ALLOWED),
        ({"image_url": "https://i.redd.it.example.org/a.jpg"}, {}, Reason.HOST_NOT_ALLOWED),
        ({"image_url": "https://i.redd.it@example.org/a.jpg"}, {}, Reason.HOST_NOT_ALLOWED),
        ({"image_url": "https://farm9.staticflickr.com/a.jpg"}, {}, None),
        ({"image_url": "http://127.0.0.1:8000/a.jpg"}, {}, Reason.HOST_NOT_ALLOWED),
        (
            {"image_url": "http://127.0.0.1:8000/a.jpg"},
            {"images": ImageSettings(allow_loopback=True)},
            None,
        ),
        ({"image_url": "file:///x/a.jpg", "source": "table:t.csv"}, {}, None),
        ({"image_url": "file:///x/a.jpg"}, {}, Reason.HOST_NOT_ALLOWED),
        ({"image_url": "file:///x/a.jpg", "source": "dump:t"}, {}, Reason.HOST_NOT_ALLOWED),
        ({"image_url": None}, IMAGELESS, None),
        ({"image_url": "https://example.org/a.jpg"}, IMAGELESS, None),
        ({"image_url": None, "is_video": True}, IMAGELESS, Reason.VIDEO),
        ({"image_url": None, "removed_by": "moderator"}, IMAGELESS, Reason.REMOVED),
        ({"over_18": True}, {}, None),
        ({"over_18": True}, {"filter": FilterSettings(over_18=False)}, Reason.OVER_18),
        ({"over_18": None}, {"filter": FilterSettings(over_18=False)}, None),
        ({"score": 5}, {"filter": FilterSettings(min_score=5)}, None),
        ({"score": 4}, {"filter": FilterSettings(min_score=5)}, Reason.SCORE_BELOW_MINIMUM),
        ({"score": None}, {"filter": FilterSettings(min_score=5)}, Reason.SCORE_BELOW_MINIMUM),
        ({"subreddit": "AWW"}, {"filter": FilterSettings(only_followed=True)}, None),
        (
            {"subreddit": "cats"},
            {"filter": FilterSettings(only_followed=True)},
            Reason.SUBREDDIT_NOT_FOLLOWED,
        ),
    ],
)
def test_a_post_is_decided_by_its_facts_and_the_rules(
    post: dict[str, Any], given: dict[str, Any], reason: Reason | None
) -> None:
    assert decide(facts(**post), settings(**given)) == reason


def test_each_post_is_decided_once(catalog: Catalog) -> None:
    add(catalog, 1)
    add(catalog, 2, image_url=None)
    stage = FilterStage(settings())
    assert run_stage(stage, catalog, NOW, Silent()).done == 2
    assert decisions(catalog) == {"p1": None, "p2": "no_image"}
    assert run_stage(stage, catalog, NOW, Silent()).pending == 0
    add(catalog, 3)
    assert run_stage(stage, catalog, NOW, Silent()).pending == 1


def test_changed_rules_decide_again_and_leave_one_decision_a_post(catalog: Catalog) -> None:
    add(catalog, 1, over_18=True)
    run_stage(FilterStage(settings()), catalog, NOW, Silent())
    strict = FilterStage(settings(filter=FilterSettings(over_18=False)))
    assert run_stage(strict, catalog, NOW, Silent()).done == 1
    assert decisions(catalog) == {"p1": "over_18"}
    assert catalog.count("selection") == 1


def test_the_rules_are_the_settings_that_decide_and_no_others() -> None:
    plain = fingerprint(settings())
    assert fingerprint(settings(filter=FilterSettings(min_score=1))) != plain
    assert fingerprint(settings(images=ImageSettings(allowed_hosts=["a.org"]))) != plain
    assert fingerprint(settings(images=ImageSettings(allow_loopback=True))) != plain
    assert fingerprint(settings(images=ImageSettings(timeout_seconds=1))) == plain
    others = RedditSettings(subreddits=["cats"])
    assert fingerprint(settings(reddit=others)) == plain
    followed = FilterSettings(only_followed=True)
    assert fingerprint(settings(reddit=others, filter=followed)) != fingerprint(
        settings(filter=followed)
    )


@pytest.mark.parametrize("version", ["v0 ", ""])  # "": before decisions bore a version
def test_decisions_made_by_earlier_code_are_made_again(catalog: Catalog, version: str) -> None:
    add(catalog, 1)
    stage = FilterStage(settings())
    run_stage(stage, catalog, NOW, Silent())
    catalog.opened("selection").update(values={"rules": f"{version}{fingerprint(settings())}"})
    forget_marks(catalog)
    assert run_stage(stage, catalog, NOW, Silent()).done == 1
    assert run_stage(stage, catalog, NOW, Silent()).pending == 0
    assert decisions(catalog) == {"p1": None}


def test_posts_left_out_for_want_of_an_image_are_kept_once_none_is_required(
    catalog: Catalog,
) -> None:
    add(catalog, 1)
    add(catalog, 2, image_url=None)
    add(catalog, 3, image_url="https://example.org/a.jpg")
    run_stage(FilterStage(settings()), catalog, NOW, Silent())
    assert decisions(catalog) == {"p1": None, "p2": "no_image", "p3": "host_not_allowed"}
    assert run_stage(FilterStage(settings(**IMAGELESS)), catalog, NOW, Silent()).done == 3
    assert decisions(catalog) == dict.fromkeys(("p1", "p2", "p3"))


def test_posts_that_were_not_seen_by_then_wait(catalog: Catalog) -> None:
    add(catalog, 1, seen_at=NOW + timedelta(hours=1))
    stage = FilterStage(settings())
    assert stage.pending(catalog, NOW).num_rows == 0
    assert stage.pending(catalog, NOW + timedelta(hours=1)).num_rows == 1


def test_the_first_look_decides_whatever_came_later(catalog: Catalog) -> None:
    post_id = add(catalog, 1, score=1)
    observation(catalog, post_id, NOW + timedelta(hours=5), score=900, removed_by="moderator")
    add(catalog, 2, score=900)
    rules = settings(filter=FilterSettings(min_score=5))
    run_stage(FilterStage(rules), catalog, NOW, Silent())
    assert decisions(catalog) == {"p1": "score_below_minimum", "p2": None}


def test_a_post_without_any_observation_is_decided_too(catalog: Catalog) -> None:
    add(catalog, 1)
    catalog.delete("observations", "true")
    run_stage(FilterStage(settings()), catalog, NOW, Silent())
    assert decisions(catalog) == {"p1": None}
