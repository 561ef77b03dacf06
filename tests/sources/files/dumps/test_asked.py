"""Lines that are left out unparsed: none that parsing would keep, however its JSON is written."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.sources.files.dumps.asked import Asked, Seen, Sieve, folded
from mmrl.sources.files.dumps.json_content import submissions
from mmrl.sources.post import Parsed, Unstated
from mmrl.sources.submission import parse_submission
from mmrl.times import microseconds_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CREATED = 1_700_000_000
FOLLOWED = ("aww", "u_kitty", "cat-pics", "k", "r&d", "Über")
NAMES = ("aww", "AWW", "pics", "u_kitty", "u/Kitty", "r/aww", "/r/pics", "cat-pics", "\u212a", "K")
name = st.sampled_from([*NAMES, "R&D", "R&amp;D", "über", "aw\0w", "", "Über", "awww"]) | st.text(
    max_size=5
)
time = st.sampled_from(
    [CREATED, CREATED - 1, float(CREATED), str(CREATED), f"{CREATED - 9}.0", CREATED * 1_000, None]
) | st.integers(CREATED - 2, CREATED + 2)
posts = st.fixed_dictionaries(
    {"id": st.just("abc"), "title": st.sampled_from(["a", "aww", '"subreddit":"pics"', "é"])},
    optional={
        "subreddit": name | st.none() | st.fixed_dictionaries({"display_name": name}),
        "subreddit_name_prefixed": name,
        "permalink": name.map(lambda name: f"/r/{name}/comments/abc/a/")
        | st.just("/user/kitty/comments/abc/")
        | st.just("/r/aw\nw/comments/abc/"),
        "created_utc": time,
        "crosspost_parent_list": st.lists(
            st.fixed_dictionaries({"subreddit": name, "created_utc": time}), max_size=1
        ),
        "score": st.just(1),
    },
)
wrapped = (
    posts
    | posts.map(lambda post: {"kind": "t3", "data": post})
    | st.lists(posts, max_size=2)
    | st.lists(posts, max_size=2).map(lambda several: {"data": several})
)


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """A line of JSON, compact or with blanks, with signs as they are or as escapes."""
    blanks = draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " :  ")]))
    value = draw(wrapped)
    line = json.dumps(value, separators=blanks, ensure_ascii=draw(st.booleans()))
    sign = draw(st.sampled_from(["", "a", "w", "k", "_", "s", "/"]))
    if sign == "/":
        line = line.replace("/", "\\/")
    elif sign:
        line = line.replace(sign, f"\\u{ord(sign):04X}")
    return line.encode("utf-8", "surrogatepass")


def kept(line: bytes, asked: Asked) -> list[dict[str, Any]]:
    """The posts of a line that parsing it keeps."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return []
    unstated = Unstated(NOW, settled=False)
    results = [
        parse_submission(one, source="dump:x", as_of=NOW, unstated=unstated)
        for one in submissions(value)
    ]
    posts = [row.post for row in results if isinstance(row, Parsed)]
    return [
        post
        for post in posts
        if asked.wants(post["subreddit"], microseconds_of(post["created_at"]))
    ]


@given(
    written(),
    st.sets(st.sampled_from(FOLLOWED)),
    st.none() | st.integers(CREATED - 1, CREATED + 1),
    st.none() | st.integers(CREATED, CREATED + 2),
)
def test_no_line_is_left_out_of_which_parsing_keeps_a_post(
    line: bytes, names: set[str], after: int | None, before: int | None
) -> None:
    times = (None if at is None else datetime.fromtimestamp(at, UTC) for at in (after, before))
    asked = Asked(frozenset(map(folded, names)), *times)
    if Sieve(asked).leaves_out(line):
        assert not kept(line, asked)


@pytest.mark.parametrize(
    ("line", "left_out"),
    [
        (b'{"subreddit":"pics","title":"x"}', True),
        (b'{"subreddit": "pics", "title": "x"}', True),
        (b'{"subreddit":"pics","title":"caf\\u00e9"}', True),
        (b'{"subreddit":"pics","title":"\\u0041ww"}', False),
        (b'{"subreddit":"pics","title":"Aww!"}', False),
        (b'{"title":"x"}', False),
        (b"not json", False),
        (b'{"subreddit":"aww"}', False),
        (b'{"subreddit":"aww","created_utc":1699999999}', True),
        (b'{"subreddit":"aww","created_utc":1700000000}', False),
        (b'{"subreddit":"aww","created_utc":1699999999,"media":{"created_utc":null}}', False),
        (b'{"subreddit":"aww","created_utc":"1999-01-01"}', False),
        (
            b'{"subreddit":"aww","created_utc":1000000000}',
            False,
        ),  # before Reddit: refused, and said
    ],
)
def test_lines_of_other_communities_and_times_are_left_out(line: bytes, left_out: bool) -> None:
    asked = Asked(frozenset({"aww"}), after=datetime.fromtimestamp(CREATED, UTC))
    assert Sieve(asked).leaves_out(line) == left_out


def test_what_was_seen_is_counted_by_name_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmrl.sources.files.dumps.asked._NAMES", 2)
    seen, others = Seen(), Seen()
    for name in "aabc":
        seen.add(name)
    others.update(seen)
    others.update(seen)
    assert (others.posts, dict(others.names)) == (8, {"a": 4, "b": 2})


def test_a_name_is_kept_up_to_a_bound() -> None:
    line = b'{"id": "a", "subreddit": "' + b"x" * 100_000 + b'"}'
    sieve = Sieve(Asked(frozenset({"aww"})))
    assert sieve.leaves_out(line)
    assert max(map(len, sieve.seen().names)) < 100


def test_a_wrapped_post_is_of_the_subreddit_that_it_names_itself() -> None:
    asked = Asked(frozenset({"aww"}))
    post = {"id": "a", "subreddit": "aww"}
    assert asked.other_subreddit({"kind": "t3", "subreddit": "pics", "data": post}) is None
    assert asked.other_subreddit({**post, "subreddit": "pics"}) == "pics"
