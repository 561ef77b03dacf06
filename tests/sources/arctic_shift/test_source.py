"""Posts as Arctic Shift sends them: what of them is a feature, what a label."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mmrl.runtime.clock import SystemClock
from mmrl.sources.arctic_shift.api import ArcticShift
from mmrl.sources.arctic_shift.source import ArcticShiftSource
from mmrl.sources.post import Parsed, Refused
from mmrl.sources.transport import Transport

CREATED = 1_767_225_600  # 2026-01-01
NOW = datetime(2026, 2, 1, tzinfo=UTC)


def source(url: str = "https://archive.example") -> ArcticShiftSource:
    return ArcticShiftSource(ArcticShift(url, Transport(SystemClock()), "mmrl/test"))


def archived(**changes: Any) -> dict[str, Any]:
    """A post in the form of the archive's schema of January 2026, written for this test."""
    return {
        "_meta": {"retrieved_2nd_on": CREATED + 36 * 3_600 + 90},
        "all_awardings": [],
        "archived": False,
        "author": "someone",
        "author_fullname": "t2_abc12",
        "created": CREATED,
        "created_utc": CREATED,
        "crosspost_parent_list": None,
        "domain": "i.redd.it",
        "id": "1abcdef",
        "is_gallery": None,
        "is_self": False,
        "is_video": False,
        "link_flair_text": "Sunrise",
        "media_metadata": None,
        "name": "t3_1abcdef",
        "num_comments": 57,
        "over_18": False,
        "permalink": "/r/EarthPorn/comments/1abcdef/a_lake/",
        "post_hint": "image",
        "preview": {"enabled": True, "images": []},
        "removed_by_category": None,
        "retrieved_on": CREATED + 12,
        "score": 1_234,
        "selftext": "",
        "spoiler": False,
        "subreddit": "EarthPorn",
        "subreddit_id": "t5_2sbq3",
        "subreddit_subscribers": 23_000_000,
        "title": "A lake &amp; its hills",
        "ups": 1_234,
        "upvote_ratio": 0.97,
        "url": "https://i.redd.it/x.jpg",
        "url_overridden_by_dest": "https://i.redd.it/x.jpg",
        **changes,
    }


def read(post: dict[str, Any]) -> Parsed:
    parsed = source().read(post, NOW)
    assert isinstance(parsed, Parsed), parsed
    return parsed


def test_the_first_retrieval_tells_features_and_the_second_one_the_label() -> None:
    parsed = read(archived())
    assert parsed.post["first_seen_at"].timestamp() == CREATED + 12
    assert (parsed.post["title"], parsed.post["source"]) == ("A lake & its hills", "arctic-shift")
    assert parsed.post["image_url"] == "https://i.redd.it/x.jpg"
    first, settled = parsed.first, parsed.observation
    assert first is not None
    assert settled is not None
    assert first["observed_at"].timestamp() == CREATED + 12
    assert (first["score"], first["num_comments"], first["upvote_ratio"]) == (None, None, None)
    assert (first["subscribers"], first["settled"]) == (23_000_000, False)
    assert settled["observed_at"].timestamp() == CREATED + 36 * 3_600 + 90
    assert (settled["score"], settled["num_comments"], settled["settled"]) == (1_234, 57, True)
    assert {first["source"], settled["source"]} == {"arctic-shift"}
    assert first["author_link_karma"] is settled["author_link_karma"] is None


@pytest.mark.parametrize("meta", [None, {}, {"is_edited": True}, {"retrieved_2nd_on": None}])
def test_a_score_that_was_not_taken_again_is_no_label(meta: Any) -> None:
    parsed = read(archived(_meta=meta, score=1, num_comments=0))
    assert parsed.observation is not None
    assert (parsed.observation["score"], parsed.observation["settled"]) == (1, False)
    assert parsed.observation["observed_at"].timestamp() == CREATED + 12
    assert parsed.first is None


@pytest.mark.parametrize(("hours", "settled"), [(1, False), (35, False), (36, True), (900, True)])
def test_a_single_retrieval_settles_a_score_by_the_age_of_the_post_then(
    hours: int, settled: bool
) -> None:
    post = archived(retrieved_on=CREATED + hours * 3_600)
    del post["_meta"]
    found = source().read(post, datetime(2026, 6, 1, tzinfo=UTC))
    assert isinstance(found, Parsed)
    assert found.observation is not None
    assert found.observation["settled"] is settled


def test_a_post_without_a_retrieval_time_is_observed_now_and_not_settled() -> None:
    post = archived(_meta=None)
    del post["retrieved_on"]
    parsed = read(post)
    assert parsed.observation is not None
    assert (parsed.observation["observed_at"], parsed.observation["settled"]) == (NOW, False)


@pytest.mark.parametrize(
    ("meta", "removed_by"),
    [
        ({"was_deleted_later": True, "removal_type": "deleted"}, "deleted"),
        ({"was_deleted_later": True, "removal_type": "content_takedown"}, "content_takedown"),
        ({"was_initially_deleted": True, "removal_type": "automod_filtered"}, None),
        ({}, None),
    ],
)
def test_removals_are_told_and_restored_posts_stand(
    meta: dict[str, Any], removed_by: str | None
) -> None:
    parsed = read(archived(_meta={"retrieved_2nd_on": CREATED + 130_000, **meta}))
    assert parsed.observation is not None
    assert parsed.observation["removed_by"] == removed_by
    assert parsed.first is not None
    assert parsed.first["removed_by"] is None  # what stood at first is not known


def test_changed_forms_of_values_cost_no_post() -> None:
    changed = {"created_utc": str(CREATED), "retrieved_on": str(CREATED + 12), "preview": []}
    parsed = read(archived(**changed, brand_new={"a": [1]}, upvote_ratio=None))
    assert parsed.post["created_at"].timestamp() == CREATED
    assert source().place(archived(created_utc=str(CREATED))) == CREATED


def test_what_is_no_post_is_refused_and_has_no_place() -> None:
    assert isinstance(source().read({"id": "1abc", "link_id": "t3_x", "body": "no"}, NOW), Refused)
    assert source().place({"id": "1abc"}) is None
    assert source().place({"created_utc": "soon"}) is None


def test_an_archive_on_this_machine_is_a_simulated_one() -> None:
    assert source("http://127.0.0.1:8321").name == "sandbox-arctic-shift"
    assert source("http://[::1]:8321").name == "sandbox-arctic-shift"
    assert source("https://arctic-shift.photon-reddit.com").name == "arctic-shift"
