"""The sandbox over HTTP, asked by the real PRAW and by a plain client; nothing is mocked."""

import http.client
import json
import socket
import time
from datetime import timedelta
from io import BytesIO
from urllib.parse import quote

import praw
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmrl.catalog import Catalog, Reason
from mmrl.catalog.tables import SCHEMAS
from mmrl.collector.once import observe, sweep
from mmrl.config import Settings
from mmrl.errors import ConfigError, InputError
from mmrl.pipeline import Silent, run_stage
from mmrl.pipeline.stages.fetch_images import FetchImagesStage
from mmrl.sandbox import SandboxServer, World, praw_settings, start_process
from mmrl.sandbox.credentials import USERNAME
from mmrl.sandbox.world import SUBREDDITS, WITH_IMAGE
from mmrl.sources.reddit.api import connect
from mmrl.sources.reddit.source import RedditSource
from mmrl.times import from_epoch
from tests.support.command import HANGS, python
from tests.support.sandbox_client import Client
from tests.support.waiting import eventually

DAY = 86_400.0


# PRAW, end to end


def test_a_sweep_through_praw_keeps_the_listed_posts_and_whole_first_observations(
    server: SandboxServer, reddit: praw.Reddit, catalog: Catalog
) -> None:
    server.now = server.world.start.timestamp() + 2 * DAY
    now = from_epoch(server.now)
    report = sweep(RedditSource(reddit), catalog, SUBREDDITS, now)
    there = {
        post.id
        for post in server.world
        if post.created <= server.now
        and not (post.kind == "removed" and post.created + 3 * 3_600 <= server.now)
    }
    assert {row["post_id"] for row in catalog.read("posts").to_pylist()} == there
    assert report.new == len(there) > 10
    assert not report.refused
    assert catalog.read("posts")["source"].to_pylist() == ["sandbox"] * len(there)
    observations = catalog.read("observations").to_pylist()
    assert all(
        observation["subscribers"] and observation["observed_at"] == now
        for observation in observations
    )
    by_author = [
        observation for observation in observations if observation["author_link_karma"] is not None
    ]
    assert len(by_author) >= 0.9 * len(observations)
    assert sweep(RedditSource(reddit), catalog, SUBREDDITS, now).new == 0


def test_later_observations_see_scores_grow(
    server: SandboxServer, reddit: praw.Reddit, catalog: Catalog
) -> None:
    start = server.world.start
    server.now = (start + timedelta(hours=12)).timestamp()
    sweep(RedditSource(reddit), catalog, SUBREDDITS, start + timedelta(hours=12))
    server.now = (start + timedelta(hours=60)).timestamp()
    observe(RedditSource(reddit), catalog, Settings(), start + timedelta(hours=60))
    final = {post.id: post.score for post in server.world}
    scores: dict[str, list[int]] = {}
    rows = catalog.read("observations").to_pylist()
    for row in sorted(rows, key=lambda row: row["observed_at"]):
        scores.setdefault(row["post_id"], []).append(row["score"])
    watched = {post_id: seen for post_id, seen in scores.items() if len(seen) > 1}
    assert watched
    assert all(seen == sorted(seen) and seen[-1] == final[p] for p, seen in watched.items())


def test_praw_reads_posts_accounts_subreddits_and_comments(
    server: SandboxServer, reddit: praw.Reddit
) -> None:
    world = server.world
    wanted = [f"t3_{post.id}" for post in world.posts[:120]]
    assert [post.fullname for post in reddit.info(fullnames=wanted)] == wanted
    account = world.authors[0]
    (partial,) = reddit.redditors.partial_redditors(ids=[f"t2_{account.id}", "t2_unknown"])
    assert (partial.name, partial.comment_karma) == (account.name, account.comment_karma)
    assert list(reddit.redditors.partial_redditors(ids=["t2_unknown"])) == []
    assert reddit.redditor(account.name).link_karma == partial.link_karma >= account.link_karma
    assert reddit.subreddit("simpics").subscribers >= world.subreddits[0].subscribers
    post = next(post for post in world if post.kind == "image")
    found = reddit.submission(post.id)
    assert (found.title, found.score) == (post.title, post.score)
    assert reddit.user.me().name == USERNAME
    server.now = post.created + 6 * 3_600
    comments = list(reddit.subreddit("all").comments(limit=5))
    assert comments
    assert {comment.link_id.removeprefix("t3_") for comment in comments} <= {p.id for p in world}


def test_praw_pages_through_the_whole_listing(reddit: praw.Reddit, server: SandboxServer) -> None:
    ids = [post.id for post in reddit.subreddit("+".join(SUBREDDITS)).new(limit=None)]
    shown = [post.id for post in reversed(server.world.posts) if post.kind != "removed"]
    assert ids == shown


@pytest.mark.parametrize("wrong", [{"client_secret": "no"}, {"password": "no"}])
def test_wrong_credentials_are_refused_in_one_sentence(
    server: SandboxServer, catalog: Catalog, wrong: dict[str, str]
) -> None:
    reddit = connect(**{**praw_settings(server.url), **wrong})
    with pytest.raises(ConfigError, match="refuses the credentials"):
        sweep(RedditSource(reddit), catalog, SUBREDDITS, from_epoch(server.now))


def test_only_what_was_posted_by_now_is_shown(server: SandboxServer, client: Client) -> None:
    post = next(post for post in server.world.posts[100:] if post.kind == "image")
    places = (f"/comments/{post.id}", f"/img/{post.id}.jpg")
    server.now = post.created - 1
    assert [client.ask(place)[0] for place in places] == [404, 404]
    server.now = post.created
    assert [client.ask(place)[0] for place in places] == [200, 200]


# Images


def test_removed_images_are_found_out_by_the_fetch_stage(
    server: SandboxServer, reddit: praw.Reddit, catalog: Catalog
) -> None:
    now = from_epoch(server.now)
    sweep(RedditSource(reddit), catalog, SUBREDDITS, now)
    rows = catalog.read("posts", ["post_id"])["post_id"].to_pylist()
    kinds = {post.id: post.kind for post in server.world}
    wanted = [p for p in rows if kinds[p] in ("placeholder", "image_gone", "gallery", "crosspost")]
    assert {kinds[post_id] for post_id in wanted} >= {"placeholder", "image_gone", "gallery"}
    selected = [{"post_id": p, "rules": "r", "reason": None, "decided_at": now} for p in wanted]
    catalog.upsert("selection", pa.Table.from_pylist(selected, schema=SCHEMAS["selection"]))
    images = {"allow_loopback": True, "attempts": 1}
    stage = FetchImagesStage(Settings.model_validate({"images": images}))
    report = run_stage(stage, catalog, now, Silent())
    failures = catalog.read("failures", ["key", "reason"]).to_pylist()
    found = {row["key"]: row["reason"] for row in failures}
    reasons = {
        "placeholder": Reason.IMAGE_REMOVED_PLACEHOLDER.value,
        "image_gone": Reason.IMAGE_GONE.value,
    }
    assert found == {p: reasons[kinds[p]] for p in wanted if kinds[p] in reasons}
    assert report.done == sum(kinds[post_id] in WITH_IMAGE for post_id in wanted)


def test_the_placeholder_is_an_image_of_our_own_with_the_known_facts(client: Client) -> None:
    status, headers, data = client.ask("/img/removed.png")
    assert (status, headers["Content-Type"], len(data)) == (200, "image/png", 503)
    with Image.open(BytesIO(data)) as image:
        image.load()
        assert image.size == (161, 81)
        assert str(image.info["Comment"]).startswith("A simulated removed image")


# The rate limit, and what is counted


def test_the_rate_limit_is_told_in_headers_and_kept(world: World) -> None:
    limit = {"requests_a_window": 4, "window_seconds": 10, "simulated_limit": True}
    with SandboxServer(world, **limit) as server:
        client = Client(server).log_in()  # the first
        seen = [client.ask("/api/info?id=t3_x") for _ in range(4)]
        assert [status for status, _, _ in seen] == [200, 200, 200, 429]
        left = [float(headers["X-Ratelimit-Remaining"]) for _, headers, _ in seen]
        used = [int(headers["X-Ratelimit-Used"]) for _, headers, _ in seen]
        assert left == [2, 1, 0, 0]
        assert used == [2, 3, 4, 5]
        assert int(seen[0][1]["X-Ratelimit-Reset"]) <= 10
        server.now += 11
        assert client.ask("/api/info?id=t3_x")[0] == 200


def test_requests_are_counted_by_path_and_by_simulated_minute(
    server: SandboxServer, client: Client
) -> None:
    for _ in range(3):
        client.ask("/r/SimPics/new")
    server.now += 61
    client.ask("/user/nobody/about")
    client.ask("/img/removed.png")
    stats = json.loads(client.ask("/sandbox/stats")[2])
    assert stats["requests"] == {
        "api/v1/access_token": 1,
        "r/*/new": 3,
        "user/*": 1,
        "img": 1,
    }
    assert stats["total"] == 6
    assert stats["most_in_a_minute"] == 4  # token and listings; images are no API requests


# Odd requests


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/r/SimPics/new?limit=abc", None, 400),
        ("/r/SimPics/new?limit=-5", None, 400),
        ("/r/SimPics/new?limit=99999999999999999999", None, 200),
        ("/r/SimPics/new?after=nonsense", None, 200),
        ("/nowhere", None, 404),
        ("/", None, 404),
        ("/img", None, 404),
        ("/img/nowhere.jpg", None, 404),
        ("/sandbox/nowhere", None, 404),
        ("/sandbox/clock", {"set": "noon"}, 400),
        ("/sandbox/clock", {"set": float("nan")}, 400),
        ("/sandbox/clock", {"set": -5}, 400),
        ("/sandbox/clock", [], 400),
        ("/sandbox/clock", b"\xff{", 400),
        ("/sandbox/faults", {"gremlins": 1}, 400),
        ("/sandbox/faults", {"reset": 2}, 400),
        ("/sandbox/faults", [1], 400),
        ("/api/v1/access_token", b"\xff\xfe", 401),
    ],
)
def test_an_odd_request_is_answered_and_the_connection_goes_on(
    client: Client, path: str, data: object, status: int
) -> None:
    assert client.ask(path, data)[0] == status
    assert client.ask("/api/info?id=t3_x")[0] == 200


def test_a_length_that_is_none_is_refused(server: SandboxServer) -> None:
    for length in ("many", "-1", "99999999999"):
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=HANGS)
        connection.putrequest("POST", "/sandbox/clock")
        connection.putheader("Content-Length", length)
        connection.endheaders()
        assert connection.getresponse().status == 400
        connection.close()


@settings(max_examples=40)
@given(
    path=st.sampled_from(["r/SimPics/new", "api/info", "api/user_data_by_account_ids", "user"]),
    name=st.sampled_from(["limit", "after", "before", "id", "ids"]),
    value=st.text(max_size=20),
    rest=st.text(max_size=10),
)
def test_whatever_is_asked_is_answered(
    client: Client, path: str, name: str, value: str, rest: str
) -> None:
    asked = f"/{path}/{quote(rest, safe='')}?{name}={quote(value, safe='')}"
    assert client.ask(asked)[0] in (200, 400, 404)


def test_nothing_of_one_answer_is_left_in_the_next_on_the_same_connection(client: Client) -> None:
    assert "X-Ratelimit-Used" in client.ask("/api/info?id=t3_x")[1]
    assert "X-Ratelimit-Used" not in client.ask("/sandbox/clock")[1]
    assert "X-Ratelimit-Used" not in client.ask("/img/nowhere.jpg")[1]


def test_without_a_token_nothing_is_told(server: SandboxServer) -> None:
    stranger = Client(server)
    status, headers, _ = stranger.ask("/r/SimPics/new")
    assert status == 401
    assert "invalid_token" in headers["WWW-Authenticate"]


# Where it listens, and how it ends


def test_it_listens_on_loopback_alone(server: SandboxServer) -> None:
    address = server.url.removeprefix("http://")
    assert address.startswith("127.0.0.1:")
    with pytest.raises(ConnectionError):  # bound to all addresses, it would answer here too
        socket.create_connection(("127.0.0.2", int(address.partition(":")[2])), 2).close()


def test_a_port_in_use_is_said_in_one_sentence(world: World, server: SandboxServer) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(InputError, match=f"can't listen on 127.0.0.1:{port}"):
        SandboxServer(world, port=port)


def test_the_clock_runs_as_fast_as_told(world: World) -> None:
    with SandboxServer(world, speed=1_000) as server:
        first = server.now
        time.sleep(0.1)
        assert server.now - first >= 100


def test_a_clock_that_tells_its_time_is_not_a_fraction_of_a_microsecond_ahead(
    world: World,
) -> None:
    with SandboxServer(world) as server:
        for seconds in (0.0000002, 1 / 3, 0.1234567, 0.9999998):
            server.now = 1_780_274_165 + seconds
            assert from_epoch(server.now).timestamp() == server.now
            before = server.now
            server.now += 60
            assert server.now - before == 60


@pytest.mark.slow
def test_a_sandbox_of_its_own_answers_and_ends_when_let_go() -> None:
    with start_process(posts=60, seed=2, days=5) as sandbox:
        assert sandbox.now == sandbox.start
        sandbox.set_clock(sandbox.end)
        assert sandbox.now == sandbox.end
        assert sandbox.truth().num_rows == 60
        reddit = connect(**praw_settings(sandbox.url))
        assert list(reddit.subreddit("all").new(limit=5))
        assert sandbox.stats()["requests"]["r/*/new"] == 1
        sandbox.set_faults(next=["server_error"])
        with pytest.raises(InputError, match="gremlins"):
            sandbox.set_faults(gremlins=1)
        assert World.make(60, 2, 5).truth().equals(sandbox.truth())
    eventually(lambda: ended(sandbox.url))


@pytest.mark.slow
def test_a_sandbox_of_its_own_ends_with_its_parent() -> None:
    code = (
        "import os; from mmrl.sandbox import start_process\n"
        "print(start_process(posts=60, days=5).url, flush=True); os._exit(9)"
    )
    parent = python(code)
    assert parent.code == 9
    eventually(lambda: ended(parent.out.strip()))


def ended(url: str) -> bool:
    """Does nobody answer there any more?"""
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except ConnectionError:
        return True
    return False
