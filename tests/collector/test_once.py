"""Collecting through PRAW: nothing lost, nothing twice, few requests, plain errors."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.collector.observations import due
from mmrl.collector.once import observe, sweep
from mmrl.config import RedditSettings, Settings
from mmrl.errors import ConfigError, SourceError
from mmrl.sources.reddit.api import connect
from mmrl.sources.reddit.source import RedditSource
from tests.support.local_reddit import LocalReddit

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
CHECKPOINTS = [1.0, 6.0, 24.0, 36.0]


def put(local: LocalReddit, number: int, at: datetime = START, **changes: Any) -> str:
    """Posts something; its author is known unless told otherwise."""
    post_id = f"p{number}"
    local.posts[post_id] = {
        "id": post_id,
        "name": f"t3_{post_id}",
        "title": f"Post {number} &amp; more",
        "subreddit": "aww",
        "subreddit_id": "t5_aww",
        "author": f"u{number}",
        "author_fullname": f"t2_u{number}",
        "created_utc": at.timestamp(),
        "score": number,
        "url": f"https://i.redd.it/{number}.jpg",
        **changes,
    }
    local.users.setdefault(
        f"t2_u{number}",
        {"name": f"u{number}", "link_karma": 7, "comment_karma": -3, "created_utc": 1.5e9},
    )
    local.subscribers["t5_aww"] = 1_000
    return post_id


def collect(local: LocalReddit, catalog: Catalog, at: datetime, *subreddits: str) -> Any:
    return sweep(local.source(), catalog, subreddits or ["aww", "pics"], at)


def observations(catalog: Catalog, post_id: str) -> list[dict[str, Any]]:
    rows = catalog.lookup("observations", "post_id", [post_id]).to_pylist()
    return sorted(rows, key=lambda row: row["observed_at"])


def test_a_sweep_keeps_each_new_post_with_its_first_look(
    local_reddit: LocalReddit, catalog: Catalog
) -> None:
    put(local_reddit, 5)
    report = collect(local_reddit, catalog, START + HOUR)
    post = catalog.read("posts").to_pylist()[0]
    (observation,) = observations(catalog, "p5")
    assert report.new == 1
    assert post["title"] == "Post 5 &amp; more"  # PRAW asks for raw_json=1: nothing is escaped
    assert post["source"] == "sandbox"  # it answers on loopback, where Reddit itself never is
    assert post["first_seen_at"] == observation["observed_at"] == START + HOUR
    assert (observation["score"], observation["subscribers"]) == (5, 1_000)
    assert (observation["author_link_karma"], observation["author_comment_karma"]) == (7, -3)
    assert observation["author_created_at"] == datetime.fromtimestamp(1.5e9, tz=UTC)


def test_a_sweep_goes_back_to_what_it_knows_and_no_further(
    local_reddit: LocalReddit, catalog: Catalog
) -> None:
    for number in range(350):
        put(local_reddit, number, START + timedelta(minutes=number))
    first = collect(local_reddit, catalog, START + 10 * HOUR)
    assert (first.new, first.requests, first.gap) == (350, 4 + 4 + 1, False)
    for number in range(350, 480):
        put(local_reddit, number, START + timedelta(minutes=number))
    second = collect(local_reddit, catalog, START + 11 * HOUR)
    assert (second.new, second.seen) == (130, 200)
    assert collect(local_reddit, catalog, START + 12 * HOUR).new == 0
    assert catalog.count("posts") == catalog.count("observations") == 480


def test_an_unbridged_gap_is_told(local_reddit: LocalReddit, catalog: Catalog) -> None:
    put(local_reddit, 0)
    assert not collect(local_reddit, catalog, START).gap
    for number in range(1, 1_101):
        put(local_reddit, number, START + timedelta(seconds=number))
    report = collect(local_reddit, catalog, START + HOUR)
    assert report.gap
    assert report.new == 1_000


def test_suspended_and_odd_authors_cost_none_but_themselves(
    local_reddit: LocalReddit, catalog: Catalog
) -> None:
    for number in range(20):
        put(local_reddit, number)
    put(local_reddit, 20, author="[deleted]", author_fullname=None)
    del local_reddit.users["t2_u3"]
    local_reddit.odd_users = {"t2_u7"}
    report = collect(local_reddit, catalog, START)
    assert report.new == 21
    unknown = catalog.read("observations", where="author_link_karma IS NULL")
    assert set(unknown["post_id"].to_pylist()) == {"p3", "p7", "p20"}


def test_a_private_subreddit_is_named_and_the_others_are_read(
    local_reddit: LocalReddit, catalog: Catalog
) -> None:
    put(local_reddit, 1)
    put(local_reddit, 2, subreddit="pics")
    local_reddit.private = {"secret"}
    report = collect(local_reddit, catalog, START, "aww", "secret", "pics")
    assert report.new == 2
    assert report.unreachable == {"secret": "403 Forbidden"}


def test_an_unusable_post_is_recorded_with_its_reason(
    local_reddit: LocalReddit, catalog: Catalog
) -> None:
    put(local_reddit, 1, title="")
    put(local_reddit, 2)
    report = collect(local_reddit, catalog, START)
    assert (report.new, report.refused) == (1, {"no_title": 1})
    assert catalog.read("failures")["key"].to_pylist() == ["p1"]


def gallery(status: str | None) -> dict[str, Any]:
    """What Reddit answers of a gallery of two; None: it tells of no image yet."""
    names = ("m1", "m2")
    images: dict[str, dict[str, Any]] = {name: {"status": status} for name in names}
    if status == "valid":
        for name, image in images.items():
            image["s"] = {"u": f"https://preview.redd.it/{name}.jpg?width=10&s=1"}
    items = [{"media_id": name, "id": number} for number, name in enumerate(names)]
    return {
        "url": "https://www.reddit.com/gallery/p1",
        "is_gallery": True,
        "gallery_data": {"items": items} if status else None,
        "media_metadata": images if status else None,
    }


@pytest.mark.parametrize(("status", "size"), [("unprocessed", 2), (None, None)])
def test_the_next_look_brings_what_a_gallery_lacked(
    local_reddit: LocalReddit, catalog: Catalog, status: str | None, size: int | None
) -> None:
    put(local_reddit, 1, **gallery(status))
    collect(local_reddit, catalog, START)
    (first,) = catalog.read("posts").to_pylist()
    assert (first["image_url"], first["gallery_size"], first["is_gallery"]) == (None, size, True)
    local_reddit.posts["p1"].update(gallery("valid"))
    observe(local_reddit.source(), catalog, Settings(), START + HOUR)
    (post,) = catalog.read("posts").to_pylist()
    assert (post["image_url"], post["gallery_size"]) == ("https://i.redd.it/m1.jpg", 2)
    assert post["image_known_at"] == START + HOUR
    changed = {"image_url", "gallery_size", "image_known_at"}
    assert {**first, **{name: post[name] for name in changed}} == post
    local_reddit.posts["p1"].update(gallery(status))  # a later look takes nothing away
    observe(local_reddit.source(), catalog, Settings(), START + 6 * HOUR)
    assert catalog.read("posts").to_pylist() == [post]


def test_observations_are_taken_at_each_checkpoint_and_no_more(
    local_reddit: LocalReddit, catalog: Catalog
) -> None:
    put(local_reddit, 1)
    collect(local_reddit, catalog, START + timedelta(minutes=5))
    taken = []
    for half_hours in range(1, 100):
        at = START + half_hours * HOUR / 2
        local_reddit.posts["p1"]["score"] = half_hours
        if observe(local_reddit.source(), catalog, Settings(), at).written:
            taken.append(half_hours / 2)
    assert taken == CHECKPOINTS
    assert [observation["score"] for observation in observations(catalog, "p1")] == [
        1,
        2,
        12,
        48,
        72,
    ]


def test_a_missed_observation_is_taken_late_at_its_true_age(
    local_reddit: LocalReddit, catalog: Catalog
) -> None:
    put(local_reddit, 1)
    collect(local_reddit, catalog, START)
    report = observe(local_reddit.source(), catalog, Settings(), START + 50 * HOUR)
    assert report.written == 1
    assert observations(catalog, "p1")[-1]["observed_at"] == START + 50 * HOUR
    assert observe(local_reddit.source(), catalog, Settings(), START + 60 * HOUR).due == 0


def test_observations_come_a_hundred_a_request(local_reddit: LocalReddit, catalog: Catalog) -> None:
    for number in range(250):
        put(local_reddit, number)
    collect(local_reddit, catalog, START)
    local_reddit.requests.clear()
    report = observe(local_reddit.source(), catalog, Settings(), START + HOUR)
    assert (report.written, report.requests) == (250, 6)
    assert local_reddit.requests == ["/api/info", "/api/user_data_by_account_ids"] * 3


def test_a_post_that_is_gone_is_looked_at_once_and_says_so(
    local_reddit: LocalReddit, catalog: Catalog
) -> None:
    put(local_reddit, 1)
    put(local_reddit, 2)
    collect(local_reddit, catalog, START)
    local_reddit.hidden = {"p1"}
    local_reddit.posts["p2"]["removed_by_category"] = "moderator"
    assert observe(local_reddit.source(), catalog, Settings(), START + HOUR).absent == 1
    assert observations(catalog, "p1")[-1]["removed_by"] == "absent"
    assert observations(catalog, "p1")[-1]["score"] is None
    assert observations(catalog, "p2")[-1]["removed_by"] == "moderator"
    assert observe(local_reddit.source(), catalog, Settings(), START + HOUR).due == 0


def test_observations_taken_before_reddit_fell_silent_are_kept(
    local_reddit: LocalReddit, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(250):
        put(local_reddit, number)
    collect(local_reddit, catalog, START)
    answer = local_reddit.answer

    def fall_silent(path: str, query: dict[str, str]) -> tuple[int, Any]:
        if local_reddit.requests.count("/api/info") == 3:  # one was for the subscribers
            local_reddit.status = 404
        return answer(path, query)

    monkeypatch.setattr(local_reddit, "answer", fall_silent)
    with pytest.raises(SourceError, match="404"):
        observe(local_reddit.source(), catalog, Settings(), START + HOUR)
    assert catalog.count("observations") == 250 + 200
    local_reddit.requests.clear()
    local_reddit.status = 200
    assert observe(local_reddit.source(), catalog, Settings(), START + HOUR).written == 50


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.lists(st.integers(0, 300), max_size=4)), max_size=12
    ),
    st.integers(0, 300),
)
@settings(max_examples=25)
def test_a_post_is_due_if_it_passed_a_checkpoint_since_its_newest_observation(
    tmp_path_factory: pytest.TempPathFactory,
    posts: list[tuple[int, list[int]]],
    now: int,
) -> None:
    """Hours: when each post went up, and its observations' ages."""
    catalog = Catalog.open(tmp_path_factory.mktemp("due"), create=True)
    rows, observed, expected = [], [], set()
    for number, (created, ages) in enumerate(posts):
        at = START + created * HOUR
        row = {"post_id": f"p{number}", "subreddit": "a", "title": "t", "source": "reddit"}
        rows.append({**row, "created_at": at, "first_seen_at": at})
        for age in set(ages):
            observed.append({"post_id": f"p{number}", "observed_at": at + age * HOUR})
        age = now - created
        newest = max(ages, default=-1)
        passed = any(newest < checkpoint <= age for checkpoint in CHECKPOINTS)
        if 0 <= age < 36 + 7 * 24 and (passed or not ages):
            expected.add(f"p{number}")
    catalog.insert("posts", pa.Table.from_pylist(rows, schema=SCHEMAS["posts"]))
    catalog.insert("observations", pa.Table.from_pylist(observed, schema=SCHEMAS["observations"]))
    assert set(due(catalog, CHECKPOINTS, START + now * HOUR)) == expected


def test_only_posts_that_reddit_knows_are_looked_at(catalog: Catalog) -> None:
    rows = [
        {
            "post_id": source.replace(":", ""),
            "subreddit": "a",
            "title": "t",
            "source": source,
            "created_at": START,
            "first_seen_at": START,
        }
        for source in ("reddit", "dump:x", "table:x")
    ]
    catalog.insert("posts", pa.Table.from_pylist(rows, schema=SCHEMAS["posts"]))
    assert set(due(catalog, CHECKPOINTS, START + HOUR)) == {"reddit", "dumpx"}


def test_wrong_credentials_stop_with_what_to_do(
    local_reddit: LocalReddit, catalog: Catalog
) -> None:
    local_reddit.token_status = 401
    with pytest.raises(ConfigError, match=r"refuses the credentials.*client_secret") as caught:
        collect(local_reddit, catalog, START)
    assert "secret=" not in str(caught.value)


@pytest.mark.parametrize("broken", [[], {"data": None}, "text", {"data": {"children": [1]}}])
def test_an_answer_that_is_no_listing_is_an_error_of_the_source(
    local_reddit: LocalReddit, catalog: Catalog, broken: Any
) -> None:
    local_reddit.broken = broken
    with pytest.raises(SourceError, match="no listing"):
        collect(local_reddit, catalog, START)


def test_an_unreachable_reddit_is_an_error_of_the_source(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prawcore.sessions.time.sleep", lambda seconds: None)
    nowhere = "http://127.0.0.1:9"  # the discard port: nothing listens
    lost = connect(client_id="a", client_secret="b", oauth_url=nowhere, reddit_url=nowhere)
    with pytest.raises(SourceError, match="could not be reached"):
        sweep(RedditSource(lost), catalog, ["aww"], START)


def test_credentials_come_from_the_homes_praw_ini(tmp_path: Path) -> None:
    (tmp_path / "praw.ini").write_text(
        "[mmrl]\nclient_id=abc\nclient_secret=x%y\nuser_agent=me\nusername=\n"
    )
    found = connect("mmrl", tmp_path).config
    assert (found.client_id, found.client_secret, found.user_agent) == ("abc", "x%y", "me")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no credentials"),
        ("[bot1]\nclient_id=a\n", r"no section \[mmrl\] \(it has bot1\)"),
        ("[mmrl]\nclient_id=\nclient_secret=\n", "There are no credentials"),
        ("[mmrl]\nclient_secret=hush\n", "incomplete"),
        ("client_secret=hush\n", "no valid INI"),
    ],
)
def test_missing_credentials_are_explained_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if content is not None:
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "praw.ini").write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        connect("mmrl", tmp_path / "home")
    assert "hush" not in str(caught.value)
    assert "praw.ini" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("username=ann\npassword=p\n", rf"{sys.platform}:mmrl-[0-9a-f]{{8}}:v\S+ \(by /u/ann\)"),
        ("", rf"{sys.platform}:mmrl-[0-9a-f]{{8}}:v\S+"),
        ("user_agent=mine:all:v1 (by /u/me)\n", r"mine:all:v1 \(by /u/me\)"),
    ],
)
@pytest.mark.parametrize("in_home", [True, False])
def test_the_user_agent_has_reddits_form_and_names_the_client(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    expected: str,
    in_home: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    folder = home if in_home else tmp_path
    (folder / "praw.ini").write_text(f"[mmrl]\nclient_id=abc\nclient_secret=x\n{content}")
    assert re.fullmatch(expected, connect("mmrl", home).config.user_agent)


def test_settings_checkpoints_are_followed(local_reddit: LocalReddit, catalog: Catalog) -> None:
    put(local_reddit, 1)
    collect(local_reddit, catalog, START)
    few = Settings(reddit=RedditSettings(checkpoints_hours=[12]))
    assert observe(local_reddit.source(), catalog, few, START + 11 * HOUR).due == 0
    assert observe(local_reddit.source(), catalog, few, START + 12 * HOUR).written == 1
