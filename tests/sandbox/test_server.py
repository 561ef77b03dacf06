"""The sandbox over HTTP, asked by the real PRAW and by a plain client; nothing is mocked."""

import base64
import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import quote

import praw
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from prawcore.exceptions import Forbidden, NotFound, Redirect, TooManyRequests
from prawcore.sessions import FiniteRetryStrategy

from mmrl.catalog import Catalog, Reason
from mmrl.catalog.tables import SCHEMAS
from mmrl.collector.once import observe, sweep
from mmrl.collector.writer import SweepReport
from mmrl.config import Settings
from mmrl.errors import ConfigError, InputError, SourceError
from mmrl.pipeline import Silent, run_stage
from mmrl.pipeline.stages.fetch_images import FetchImagesStage
from mmrl.sandbox import SandboxServer, World, praw_settings, start_process
from mmrl.sandbox.credentials import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME
from mmrl.sandbox.world import SUBREDDITS, WITH_IMAGE
from mmrl.sources.reddit.api import connect
from mmrl.sources.reddit.source import RedditSource
from mmrl.times import from_epoch
from tests.support.command import HANGS, python
from tests.support.waiting import eventually

DAY = 86_400.0
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def world() -> World:
    return World.make(posts=300, seed=3, days=20)


@pytest.fixture
def server(world: World) -> Iterator[SandboxServer]:
    with SandboxServer(world) as running:
        running.now = world.end.timestamp() + 3 * DAY
        yield running


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """PRAW tries again as it does, but at once instead of after some seconds."""
    monkeypatch.setattr(FiniteRetryStrategy, "_sleep_seconds", lambda self: None)


@pytest.fixture
def reddit(server: SandboxServer) -> praw.Reddit:
    return connect(**praw_settings(server.url))


class Client:
    """One kept connection; sends what it is told and gives what comes."""

    def __init__(self, server: SandboxServer) -> None:
        host = server.url.removeprefix("http://")
        self.connection = http.client.HTTPConnection(host, timeout=HANGS)
        self.token = ""

    def ask(self, path: str, data: object = None, method: str | None = None) -> Answer:
        body = data if isinstance(data, bytes | None) else json.dumps(data).encode()
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self.connection.request(method or ("GET" if data is None else "POST"), path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def log_in(self) -> "Client":
        secret = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        form = f"grant_type=password&username={USERNAME}&password={PASSWORD}"
        headers = {"Authorization": f"Basic {secret}"}
        self.connection.request("POST", "/api/v1/access_token", form, headers)
        self.token = json.loads(self.connection.getresponse().read())["access_token"]
        return self


@pytest.fixture
def client(server: SandboxServer) -> Client:
    return Client(server).log_in()


@contextmanager
def faults(client: Client, **given: Any) -> Iterator[None]:
    """Faults in force for a while."""
    status, _, said = client.ask("/sandbox/faults", given)
    assert status == 200, said
    yield
    client.ask("/sandbox/faults", {})


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


# Faults


def test_a_429_says_when_to_come_back_or_does_not(client: Client, reddit: praw.Reddit) -> None:
    with faults(client, next=["too_many", "too_many_unsaid"], retry_after_seconds=7):
        status, headers, _ = client.ask("/api/info?id=t3_x")
        assert (status, headers["Retry-After"]) == (429, "7")
        status, headers, _ = client.ask("/api/info?id=t3_x")
        assert (status, headers.get("Retry-After")) == (429, None)
        assert client.ask("/api/info?id=t3_x")[0] == 200
    reddit.user.me()
    with faults(client, next=["too_many_unsaid"]), pytest.raises(TooManyRequests):
        list(reddit.subreddit("SimPics").new(limit=1))


def test_server_errors_are_of_three_kinds_and_praw_gets_over_one(
    client: Client, reddit: praw.Reddit
) -> None:
    with faults(client, server_error=1):
        assert {client.ask("/api/info?id=t3_x")[0] for _ in range(40)} == {500, 502, 503}
    reddit.user.me()
    with faults(client, next=["server_error"]):
        assert list(reddit.subreddit("SimPics").new(limit=1))


def test_a_reset_ends_the_connection_without_an_answer(
    server: SandboxServer, client: Client, reddit: praw.Reddit
) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    client.ask("/sandbox/faults", {"next": ["reset"]})
    with socket.create_connection((host, int(port)), 5) as raw:
        raw.sendall(b"GET /api/info HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            raw.recv(10)
    reddit.user.me()
    with faults(client, next=["reset"]):
        assert list(reddit.subreddit("SimPics").new(limit=1))


def test_a_cut_answer_is_shorter_than_it_says_and_the_next_one_is_whole(
    client: Client, reddit: praw.Reddit
) -> None:
    client.ask("/sandbox/faults", {"next": ["cut"]})
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.ask("/r/SimPics/new")
    assert caught.value.expected
    client.connection.close()
    assert client.ask("/r/SimPics/new")[0] == 200
    reddit.user.me()
    with faults(client, next=["cut"]):
        assert list(reddit.subreddit("SimPics").new(limit=1))


def test_a_slow_answer_comes_late_but_whole(client: Client) -> None:
    with faults(client, next=["slow"], slow_seconds=0.4):
        began = time.monotonic()
        assert client.ask("/r/SimPics/new")[0] == 200
        assert time.monotonic() - began >= 0.4


def test_praw_gets_a_new_token_when_its_own_has_expired(
    server: SandboxServer, client: Client, reddit: praw.Reddit
) -> None:
    reddit.user.me()
    tokens = server.stats()["requests"]["api/v1/access_token"]
    with faults(client, next=["expired_token"]):
        assert list(reddit.subreddit("SimPics").new(limit=1))
    assert server.stats()["requests"]["api/v1/access_token"] == tokens + 1


def test_an_outage_lasts_as_long_as_it_says(server: SandboxServer, client: Client) -> None:
    begin = server.now
    with faults(client, outage_from=begin, outage_until=begin + 100):
        seen = []
        for moment in (begin - 1, begin, begin + 99, begin + 100):
            server.now = moment
            seen.append(client.ask("/api/info?id=t3_x")[0])
    assert [status >= 500 for status in seen] == [False, True, True, False]


def test_doubled_posts_are_kept_once(
    client: Client, reddit: praw.Reddit, catalog: Catalog, server: SandboxServer
) -> None:
    with faults(client, duplicates=1):
        listed = [post.id for post in reddit.subreddit("SimPics").new(limit=100)]
        assert len(listed) == 2 * len(set(listed))
        sweep(RedditSource(reddit), catalog, SUBREDDITS, from_epoch(server.now))
    ids = catalog.read("posts")["post_id"].to_pylist()
    assert len(ids) == len(set(ids)) == sum(post.kind != "removed" for post in server.world)


def test_suspended_accounts_lack_in_answers_about_accounts(
    client: Client, reddit: praw.Reddit, server: SandboxServer
) -> None:
    ids = [f"t2_{author.id}" for author in server.world.authors]
    with faults(client, suspended=0.3):
        left = {account.fullname for account in reddit.redditors.partial_redditors(ids=ids)}
        again = {account.fullname for account in reddit.redditors.partial_redditors(ids=ids)}
        gone = next(a for a in server.world.authors if f"t2_{a.id}" not in left)
        assert json.loads(client.ask(f"/user/{gone.name}/about")[2])["data"]["is_suspended"]
    assert left == again
    assert 0.5 * len(ids) < len(left) < 0.9 * len(ids)


def test_subreddits_can_be_private_banned_or_renamed(
    client: Client, reddit: praw.Reddit, catalog: Catalog, server: SandboxServer
) -> None:
    closed = {"private": ["SimPics"], "banned": ["SimTown"], "renamed": {"SimArt": "SimCraft"}}
    with faults(client, **closed):
        for name, error in (("SimPics", Forbidden), ("SimTown", NotFound), ("simart", Redirect)):
            with pytest.raises(error):
                list(reddit.subreddit(name).new(limit=1))
            with pytest.raises(error):
                assert reddit.subreddit(name).subscribers
        with pytest.raises(Redirect):
            list(reddit.subreddit("NeverWas").new(limit=1))
        report = sweep(RedditSource(reddit), catalog, ["SimPics"], from_epoch(server.now))
        assert report.unreachable.keys() == {"SimPics"}
        joined = reddit.subreddit("SimPics+SimFun").new(limit=100)
        assert {str(post.subreddit) for post in joined} == {"SimFun"}
    assert list(reddit.subreddit("SimPics").new(limit=1))


def test_images_meet_faults_only_when_told(client: Client, server: SandboxServer) -> None:
    post = next(post for post in server.world if post.kind == "image")
    with faults(client, next=["server_error"]):
        assert client.ask(f"/img/{post.id}.jpg")[0] == 200
    with faults(client, next=["server_error", "too_many"], images=True):
        assert client.ask(f"/img/{post.id}.jpg")[0] >= 500
        assert client.ask(f"/img/{post.id}.jpg")[0] == 429
        status, headers, data = client.ask(f"/img/{post.id}.jpg")
        assert (status, headers["Content-Type"], data) == (200, "image/jpeg", post.image())


def test_repeated_sweeps_through_faults_hold_every_listed_post_once(catalog: Catalog) -> None:
    world = World.make(posts=160, seed=5, days=8)
    listed: set[str] = set()
    errors = 0
    with SandboxServer(world) as server:
        client = Client(server).log_in()
        reddit = connect(**praw_settings(server.url))
        given = {"server_error": 0.25, "reset": 0.2, "too_many_unsaid": 0.1, "duplicates": 0.2}
        client.ask("/sandbox/faults", {**given, "cut": 0.05, "expired_token": 0.1, "seed": 1})
        for day in range(1, 9):
            server.now = world.start.timestamp() + day * DAY
            kept: SweepReport | None = None
            for _ in range(60):
                try:
                    kept = sweep(RedditSource(reddit), catalog, SUBREDDITS, from_epoch(server.now))
                    break
                except SourceError:
                    errors += 1
            assert kept is not None
            listed |= {
                post.id
                for post in world
                if post.created <= server.now
                and not (post.kind == "removed" and post.created + 3 * 3_600 <= server.now)
            }
    ids = catalog.read("posts")["post_id"].to_pylist()
    observations = catalog.read("observations")["post_id"].to_pylist()
    assert errors > 3  # the faults were met
    assert sorted(ids) == sorted(listed)
    assert sorted(observations) == sorted(listed)


# The rate limit, and what is counted


def test_the_rate_limit_is_told_in_headers_and_kept(world: World) -> None:
    with SandboxServer(world, requests_a_window=4, window_seconds=1) as server:
        client = Client(server).log_in()  # the first
        seen = [client.ask("/api/info?id=t3_x") for _ in range(4)]
        assert [status for status, _, _ in seen] == [200, 200, 200, 429]
        left = [float(headers["X-Ratelimit-Remaining"]) for _, headers, _ in seen]
        used = [int(headers["X-Ratelimit-Used"]) for _, headers, _ in seen]
        assert left == [2, 1, 0, 0]
        assert used == [2, 3, 4, 5]
        assert int(seen[0][1]["X-Ratelimit-Reset"]) <= 1
        time.sleep(1.05)
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
