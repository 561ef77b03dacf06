"""Reading one submission, whatever its age and the tool that wrote it."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mmrl.catalog.reasons import Reason
from mmrl.catalog.tables import SCHEMAS
from mmrl.sources.post import Parsed, Refused, Unstated
from mmrl.sources.submission import parse_submission

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CREATED = 1_700_000_000
CREATED_AT = datetime.fromtimestamp(CREATED, tz=UTC)


def submission(**changes: Any) -> dict[str, Any]:
    """An image post as Reddit's API sends it, with some fields changed."""
    return {
        "id": "17vabcd",
        "name": "t3_17vabcd",
        "title": "A cat",
        "subreddit": "aww",
        "author": "someone",
        "author_fullname": "t2_abc12",
        "created_utc": float(CREATED),
        "score": 12,
        "upvote_ratio": 0.9,
        "num_comments": 3,
        "subreddit_subscribers": 30_000_000,
        "over_18": False,
        "is_self": False,
        "domain": "i.redd.it",
        "url": "https://i.redd.it/abc.jpg",
        "selftext": "",
        **changes,
    }


def parse(given: object, *, raw_json: bool = False, settled: bool = False) -> Parsed | Refused:
    return parse_submission(
        given, source="dump:x", as_of=NOW, unstated=Unstated(NOW, settled), raw_json=raw_json
    )


def parsed(given: object, **options: Any) -> Parsed:
    result = parse(given, **options)
    assert isinstance(result, Parsed), result
    return result


def refusal(given: object) -> Reason:
    result = parse(given)
    assert isinstance(result, Refused), result
    assert result.detail
    return result.reason


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in submission().items() if key != name}


def test_a_modern_post_becomes_a_post_and_an_observation() -> None:
    result = parsed(submission(link_flair_text="Cats", spoiler=True, permalink="/r/aww/x"))
    assert result.observation is not None
    assert result.post["post_id"] == "17vabcd"
    assert result.post["author_id"] == "abc12"
    assert result.post["created_at"] == CREATED_AT
    assert result.post["flair"] == "Cats"
    assert result.post["spoiler"] is True
    assert result.observation["score"] == 12
    assert result.observation["subscribers"] == 30_000_000
    assert set(result.post) == set(SCHEMAS["posts"].names)
    assert set(result.observation) == set(SCHEMAS["observations"].names)


def test_a_listings_child_is_read_and_a_comment_is_not() -> None:
    assert parsed({"kind": "t3", "data": submission()}).post["title"] == "A cat"
    assert refusal({"kind": "t1", "data": {"id": "x", "body": "hm"}}) == Reason.NOT_A_POST
    assert refusal({"id": "x", "body": "hm", "link_id": "t3_y"}) == Reason.NOT_A_POST
    assert refusal({"name": "t5_2qh0u", "id": "2qh0u", "title": "pics"}) == Reason.NOT_A_POST


@pytest.mark.parametrize("given", [None, [], "text", 3, True, {}, {"error": 404}])
def test_what_is_no_post_is_refused_as_such(given: object) -> None:
    assert refusal(given) == Reason.NOT_A_POST


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({k: v for k, v in submission().items() if k not in ("id", "name")}, Reason.NO_ID),
        (without("title"), Reason.NO_TITLE),
        (submission(title="   "), Reason.NO_TITLE),
        (without("created_utc"), Reason.NO_CREATION_TIME),
        (without("subreddit"), Reason.NO_SUBREDDIT),
        (submission(id="../../etc"), Reason.BAD_VALUE),
        (submission(created_utc="yesterday"), Reason.BAD_VALUE),
        (submission(created_utc=float("nan")), Reason.BAD_VALUE),
        (submission(created_utc=1e30), Reason.OUT_OF_RANGE),
        (submission(created_utc=-5), Reason.OUT_OF_RANGE),
        (submission(created_utc=1_000_000_000), Reason.OUT_OF_RANGE),  # 2001, before Reddit
        (submission(created_utc=True), Reason.BAD_VALUE),
        (submission(created_utc=4_000_000_000), Reason.OUT_OF_RANGE),  # after it was observed
        (submission(score="many"), Reason.BAD_VALUE),
        (submission(score=[[[]]]), Reason.BAD_VALUE),
        (submission(score=float("inf")), Reason.OUT_OF_RANGE),
        (submission(score=10**400), Reason.OUT_OF_RANGE),
        (submission(score=1.5), Reason.BAD_VALUE),
        (submission(title="a" * 10_001), Reason.TOO_LONG),
        (submission(subreddit="two words"), Reason.BAD_VALUE),
    ],
)
def test_an_unusable_post_is_refused_with_its_reason(given: dict[str, Any], reason: Reason) -> None:
    assert refusal(given) == reason


def test_old_field_names_and_number_texts_are_understood() -> None:
    old = {
        "name": "t3_7q9ic",
        "title": "Old &amp; good",
        "subreddit_name_prefixed": "r/pics",
        "created_utc": "1232129032",
        "ups": 4260,
        "edited": "False",
        "over_18": "False",
    }
    result = parsed(old)
    assert result.post["post_id"] == "7q9ic"
    assert result.post["subreddit"] == "pics"
    assert result.post["title"] == "Old & good"
    assert result.post["over_18"] is False
    assert result.post["author_name"] is None
    assert result.observation is not None
    assert result.observation["score"] == 4260
    assert result.observation["removed_by"] is None


def test_texts_are_unescaped_once_and_only_where_reddit_escaped_them() -> None:
    assert parsed(submission(title="&lt;3 &amp;amp; me")).post["title"] == "<3 &amp; me"
    assert parsed(submission(title="&lt;3"), raw_json=True).post["title"] == "&lt;3"


def test_a_lone_surrogate_does_not_reach_the_catalog() -> None:
    result = parsed(submission(title="a \ud83d b", author="\udc00"))
    pa.Table.from_pylist([result.post], schema=SCHEMAS["posts"])
    assert result.post["title"] == "a ? b"


@pytest.mark.parametrize(
    ("changes", "removed_by"),
    [
        ({}, None),
        ({"author": None}, None),
        ({"removed_by_category": "moderator"}, "moderator"),
        ({"selftext": "[removed]"}, "moderator"),
        ({"selftext": "[deleted]", "author": "[deleted]"}, "deleted"),
        ({"title": "[deleted by user]"}, "deleted"),
        ({"author": "[deleted]"}, "account_deleted"),
        ({"_meta": {"was_deleted_later": True, "removal_type": "deleted"}}, "deleted"),
        # Arctic Shift: gone at the first look, standing at the second.
        ({"_meta": {"was_initially_deleted": True, "removal_type": "reddit"}}, None),
        ({"_meta": {"was_initially_deleted": True}, "removed_by_category": "moderator"}, None),
        (
            {
                "_meta": {"was_initially_deleted": True, "was_deleted_later": True},
                "removed_by_category": "moderator",
            },
            "moderator",
        ),
    ],
)
def test_removal_is_noted_on_the_observation(
    changes: dict[str, Any], removed_by: str | None
) -> None:
    result = parsed(submission(**changes))
    assert result.observation is not None
    assert result.observation["removed_by"] == removed_by
    assert result.post["author_name"] != "[deleted]"


def test_a_score_is_dated_by_arctic_shifts_second_retrieval() -> None:
    again = CREATED + 36 * 3600 + 60
    result = parsed(submission(retrieved_on=CREATED + 20, _meta={"retrieved_2nd_on": again}))
    assert result.observation is not None
    assert result.observation["observed_at"] == datetime.fromtimestamp(again, tz=UTC)
    assert result.post["first_seen_at"] == CREATED_AT + timedelta(seconds=20)
    assert result.observation["settled"] is True
    assert result.stated


@pytest.mark.parametrize("name", ["retrieved_on", "retrieved_utc"])
def test_a_score_is_dated_by_its_only_retrieval(name: str) -> None:
    result = parsed(submission(**{name: CREATED + 20}, _meta={"note": "no_2nd_retrieval"}))
    assert result.observation is not None
    assert result.observation["observed_at"] == CREATED_AT + timedelta(seconds=20)
    assert result.stated


def test_a_score_of_unknown_age_is_settled_only_where_the_caller_says_so() -> None:
    for settled in (False, True):
        result = parsed(submission(), settled=settled)
        assert result.observation is not None
        assert result.observation["settled"] is settled
        assert result.observation["observed_at"] == NOW
        assert not result.stated


def test_an_observation_is_never_before_its_post() -> None:
    slow_clock = parsed(submission(retrieved_on=CREATED - 30))
    assert slow_clock.observation is not None
    assert slow_clock.observation["observed_at"] == CREATED_AT
    assert refusal(submission(retrieved_on=NOW.timestamp() + 200_000)) == Reason.OUT_OF_RANGE
    impossible = parsed(submission(retrieved_on=CREATED - 200_000), settled=True)
    assert impossible.observation is not None
    assert impossible.observation["settled"] is False
    assert impossible.dropped == ("retrieved_on",)


@pytest.mark.parametrize("name", ["retrieved_on", "updated_on"])
def test_a_stated_time_that_cannot_be_read_leaves_the_score_open(name: str) -> None:
    result = parsed(submission(**{name: "soon", "retrieved_utc": CREATED + 20}), settled=True)
    assert result.observation is not None
    assert (result.stated, result.observation["settled"]) == (False, False)


def test_the_time_of_a_merged_dumps_last_update_dates_its_score() -> None:
    result = parsed(submission(retrieved_on=CREATED + 20, updated_on=CREATED + 150_000))
    assert result.observation is not None
    assert result.observation["observed_at"] == CREATED_AT + timedelta(seconds=150_000)
    assert result.post["first_seen_at"] == CREATED_AT + timedelta(seconds=20)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("num_comments", -1, None),
        ("num_comments", "1,204", 1204),
        ("subreddit_subscribers", -1, None),
        ("upvote_ratio", 1.2, None),
        ("upvote_ratio", "97%", 0.97),
        ("upvote_ratio", 7, 0.07),
        ("over_18", "perhaps", None),
        ("over_18", [[["deep"]]], None),
        ("spoiler", 2, None),
        ("link_flair_text", "x" * 301, None),
        ("url", "https://i.redd.it/" + "x" * 8_000, None),
    ],
)
def test_a_value_that_no_label_needs_costs_itself_alone(name: str, value: Any, kept: Any) -> None:
    result = parsed(submission(**{name: value}))
    assert result.observation is not None
    columns = {"link_flair_text": "flair", "subreddit_subscribers": "subscribers"}
    row = {**result.post, **result.observation}
    assert row[columns.get(name, name)] == kept
    assert result.dropped == (() if kept is not None else (name,))
    assert row["score"] == 12


@pytest.mark.parametrize(
    ("permalink", "post_id", "subreddit"),
    [
        ("/r/EarthPorn/comments/18ok12/a_title/", "18ok12", "EarthPorn"),
        ("https://old.reddit.com/r/EarthPorn/comments/18OK12", "18ok12", "EarthPorn"),
        ("/user/someone/comments/18ok12/x/", "18ok12", "u_someone"),
    ],
)
def test_id_and_subreddit_are_read_from_the_permalink_where_they_are_missing(
    permalink: str, post_id: str, subreddit: str
) -> None:
    result = parsed(submission(id=None, name=None, subreddit=None, permalink=permalink))
    assert (result.post["post_id"], result.post["subreddit"]) == (post_id, subreddit)
    assert parsed(submission(permalink=permalink)).post["post_id"] == "17vabcd"


def test_what_tools_make_of_names_is_undone() -> None:
    assert parsed(submission(author="u/someone")).post["author_name"] == "someone"
    assert parsed(submission(author="umbrella")).post["author_name"] == "umbrella"
    assert parsed(submission(id="T3_17vabcd")).post["post_id"] == "17vabcd"
    assert parsed(submission(subreddit={"display_name": "aww"})).post["subreddit"] == "aww"
    for nobody in ("DELETED", "u/[deleted]", "[deleted]"):
        result = parsed(submission(author=nobody))
        assert result.post["author_name"] is None
        assert result.observation is not None
        assert result.observation["removed_by"] == "account_deleted"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
field_values = json_values | st.sampled_from(
    [CREATED, str(CREATED), "t3_abc", "abc", "https://i.redd.it/a.jpg", "[deleted]", "http://[", 1]
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *submission(),
                *("preview", "gallery_data", "media_metadata", "crosspost_parent_list", "_meta"),
                *("retrieved_on", "is_gallery", "post_hint", "kind", "data", "crosspost_parent"),
            ]
        ),
        field_values,
    )
    | json_values
)
def test_whatever_comes_is_parsed_or_refused(given: object) -> None:
    for candidate in (given, submission(**given) if isinstance(given, dict) else given):
        result = parse(candidate)
        if isinstance(result, Parsed):
            pa.Table.from_pylist([result.post], schema=SCHEMAS["posts"])
            if result.observation is not None:
                pa.Table.from_pylist([result.observation], schema=SCHEMAS["observations"])
                assert result.observation["observed_at"] >= result.post["created_at"]
        else:
            result.detail.encode()


@pytest.mark.shared_data
def test_every_recorded_post_of_the_api_is_parsed_or_refused_with_a_reason(
    shared_data: Path,
) -> None:
    packed = (shared_data / "reddit_api_objects" / "t3.ndjson.zst").read_bytes()
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed))
    results = {}
    for line in reader.read().splitlines():
        raw = orjson.loads(line)
        results[raw["_cassette"], raw["id"]] = (raw, parse(raw))
    refused = [result for _, result in results.values() if isinstance(result, Refused)]
    assert len(results) > 1_000
    assert {refusal.reason for refusal in refused} <= {Reason.NO_SUBREDDIT}
    for raw, result in results.values():
        if isinstance(result, Parsed) and raw["domain"] == "i.redd.it":
            assert result.post["image_url"].startswith("https://i.redd.it/")
        if isinstance(result, Parsed) and raw.get("removed_by_category"):
            assert result.observation is not None
            assert result.observation["removed_by"]
