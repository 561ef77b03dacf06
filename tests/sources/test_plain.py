"""What is read by a value's type and form is what the careful parser reads."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.made_dump import posts
from mmrl.sources import still_image
from mmrl.sources.files.rows import OBSERVATIONS, POSTS, Gathered
from mmrl.sources.plain import POST_COLUMNS, Plain, read_plain
from mmrl.sources.post import Parsed, Unstated
from mmrl.sources.still_image import find_media
from mmrl.sources.submission import CLOCKS_DIFFER, parse_submission
from mmrl.times import microseconds_of

NOW = datetime(2024, 1, 4, 12, tzinfo=UTC)
CREATED = 1_704_067_200
GALLERY = {
    "is_gallery": True,
    "gallery_data": {"items": [{"media_id": "one"}]},
    "media_metadata": {
        "one": {"status": "valid", "s": {"u": "https://preview.redd.it/one.jpg?width=9&amp;s=a"}}
    },
}
PARENT = {"url": "https://i.redd.it/parent.png", "post_hint": "image"}
KINDS: tuple[dict[str, Any], ...] = (
    {},
    GALLERY,
    {"crosspost_parent": "t3_abc", "crosspost_parent_list": [PARENT]},
    {"is_video": True, "post_hint": "hosted:video", "url": "https://v.redd.it/abc"},
    {"url": "https://imgur.com/a1b2c3d", "url_overridden_by_dest": "https://imgur.com/a1b2c3d"},
    {"url": "https://www.example.org/a%20b/c.JPG?x=1#part", "url_overridden_by_dest": None},
    {"author": "[deleted]", "author_fullname": None, "selftext": "[removed]"},
    {"removed_by_category": "moderator", "title": "[removed]"},
    {"_meta": {"removal_type": "deleted", "was_deleted_later": True}},
    {"_meta": None, "retrieved_on": None, "retrieved_utc": CREATED + 9, "updated_on": CREATED + 90},
    {"title": " Tom &amp; Jerry &lt;3 ", "link_flair_text": "a &amp;amp; b", "domain": ""},
    {"name": "t3_other", "subreddit": "u_some-one", "created_utc": f"{CREATED}"},
    {"preview": {"images": [{"source": {"url": "https://preview.redd.it/a.png?s=1&amp;x=%20"}}]}},
    {"preview": {"images": [{"source": {"url": "http://preview.redd.it/b/c.png?s=1#x"}}]}},
)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 7, 2**40, 10**400, 1.0, 0.5, 1e308, -0.0, 99.5),
    *(
        "",
        " ",
        "x" * 301,
        "x" * 2_001,
        "x" * 8_001,
        "x" * 10_001,
        "\0",
        "a\0b",
        "\ufeffa",
        "[a",
        "]",
    ),
    *("\u00a0caf\u00e9\u2003", "a &amp; b", "&", "u/me", "/u/me", "U/me", "DELETED", "[removed]"),
    *(
        "[deleted]",
        "[deleted by user]",
        " [removed]",
        "t3_abc",
        "t2_abc",
        "T3_abc",
        "t5_abc",
        "ABC",
    ),
    *(
        "abc\n",
        "zzzzzzzzzzzzzz",
        "a b",
        "r/pics",
        "/r/pics",
        "u_me",
        "1,204",
        "12.5k",
        "97%",
        "nsfw",
    ),
    *(
        "1704067201",
        "1704067201.5",
        "+170406720",
        "٠١٢٣٤٥٦٧٨٩",
        "20240101",
        "2024-01-01",
        "tomorrow",
    ),
    *(CREATED, CREATED + 0.5, CREATED - 86_400, CREATED - 86_401, CREATED + 10**6, CREATED * 1_000),
    *(1_117_584_000, 1_117_583_999, 7_258_118_400, 20_240_101, 10**12, 45_000),
    *("https://i.redd.it/a.jpg", "https://i.redd.it/a.JPG", "https://i.redd.it/x-v0-a.jpg"),
    *("https://i.redd.it/v0-a.gif", "http://i.redd.it/a.jpg", "https://i.redd.it/a.mp4"),
    *("https://i.redd.it/a.jpg?x=1", "https://i.redd.it/a.jpg#x", "https://i.redd.it:80/a.png"),
    *("https://www.reddit.com/media?url=https%3A%2F%2Fi.redd.it%2Fa.jpg", "javascript:alert(1)"),
    *("https://www.reddit.com/gallery/abc", "https://[::1", "image", "hosted:video", "rich:video"),
    *([], {}, [[]], {"a": {"b": 1}}, {"items": []}, {"images": []}, {"images": [{"source": 1}]}),
    *({"retrieved_2nd_on": CREATED + 5}, {"retrieved_2nd_on": "x"}, {"removal_type": "reddit"}),
    *({"was_initially_deleted": True, "removal_type": ""}, {"display_name": "pics"}),
)
READ = (
    *("id", "name", "title", "subreddit", "created_utc", "author", "author_fullname", "permalink"),
    *("url", "url_overridden_by_dest", "over_18", "spoiler", "is_gallery", "gallery_data"),
    *("media_metadata", "crosspost_parent", "crosspost_parent_list", "link_flair_text", "domain"),
    *("post_hint", "preview", "is_video", "is_self", "score", "ups", "upvote_ratio"),
    *("num_comments", "subreddit_subscribers", "selftext", "removed_by_category", "_meta"),
    *("retrieved_on", "retrieved_utc", "retrieved_at", "updated_on", "updated_utc", "link_id"),
    *("data", "kind", "subreddit_name_prefixed"),
)
MADE = list(islice(posts(0), 40))


def read(submission: dict[str, Any]) -> Plain | None:
    return read_plain(submission, "dump:x", microseconds_of(NOW + CLOCKS_DIFFER))


def parse(submission: dict[str, Any]) -> Any:
    unstated = Unstated(NOW, settled=False)
    return parse_submission(submission, source="dump:x", as_of=NOW, unstated=unstated)


def assert_equal(plain: Plain, parsed: Any) -> None:
    """A plain reading is that of the careful parser, and what it can't say is not there."""
    assert isinstance(parsed, Parsed), parsed
    rows, careful = Gathered(), Gathered()
    rows.add_values("1", plain.post, plain.observation, stated=True)
    careful.add("1", parsed)
    assert rows.rows() == careful.rows()
    assert dict(zip(POST_COLUMNS, plain.post, strict=True)).keys() == parsed.post.keys()
    assert parsed.post.keys() == set(POSTS.names)
    assert parsed.observation is not None
    assert list(parsed.observation) == OBSERVATIONS.names
    assert plain.subreddit == parsed.post["subreddit"]
    assert plain.created == microseconds_of(parsed.post["created_at"])


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_posts_are_read_as_the_careful_parser_reads_them(kind: dict[str, Any]) -> None:
    for made in MADE[:2]:
        plain, parsed = read({**made, **kind}), parse({**made, **kind})
        if plain is not None:
            assert_equal(plain, parsed)


def test_what_a_dump_mostly_holds_is_plain() -> None:
    for made in MADE:
        plain = read(made)
        assert plain is not None
        assert_equal(plain, parse(made))
    usual = [kind for kind in KINDS if read({**MADE[1], **kind}) is None]
    assert usual == [KINDS[11]]


@settings(max_examples=500)
@given(
    st.sampled_from(MADE),
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(READ), st.sampled_from(ODD), max_size=3),
    st.sets(st.sampled_from(READ), max_size=2),
)
def test_a_plain_reading_is_that_of_the_careful_parser(
    made: dict[str, Any], kind: dict[str, Any], odd: dict[str, Any], gone: set[str]
) -> None:
    submission = {
        name: value for name, value in {**made, **kind, **odd}.items() if name not in gone
    }
    plain = read(submission)
    if plain is not None:
        assert_equal(plain, parse(submission))


@pytest.mark.parametrize("name", READ)
def test_each_odd_value_by_itself_is_read_as_the_careful_parser_reads_it(name: str) -> None:
    for made in MADE[:2]:
        for odd in ODD:
            plain = read({**made, name: odd})
            if plain is not None:
                assert_equal(plain, parse({**made, name: odd}))


@pytest.mark.parametrize("made", MADE[:2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_address_is_the_one_that_comes_of_taking_it_apart(
    made: dict[str, Any], kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("url", "url_overridden_by_dest", "post_hint", "preview", "is_self", "is_gallery")
    submissions = [{**made, **kind, name: odd} for name in names for odd in ODD]
    found = [find_media(one) for one in submissions]
    monkeypatch.setattr(still_image, "_is_picture", lambda post, address: False)
    monkeypatch.setattr(still_image, "_COPY", lambda address: None)
    assert [find_media(one) for one in submissions] == found


def test_texts_that_are_not_whole_come_through_no_parser_of_json() -> None:
    for text in (rb'"\ud800"', rb'"\udc00 a"', b'"\xed\xa0\x80"', b"NaN", b"Infinity"):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(text)


def test_a_clock_may_differ_by_a_day_and_no_more() -> None:
    late = microseconds_of(NOW + timedelta(days=1)) // 1_000_000
    for seconds, plain in ((late, True), (late + 1, False)):
        one = {**MADE[0], "retrieved_on": seconds, "_meta": None}
        assert (read(one) is not None) is plain
        assert isinstance(parse(one), Parsed) is plain
