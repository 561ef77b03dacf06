"""Faults of the sandbox on demand, met by the real PRAW and by a plain client."""

import http.client
import json
import socket
import time

import praw
import pytest
from prawcore.exceptions import Forbidden, NotFound, Redirect, TooManyRequests

from mmrl.catalog import Catalog
from mmrl.collector.once import sweep
from mmrl.collector.writer import SweepReport
from mmrl.errors import SourceError
from mmrl.sandbox import SandboxServer, World, praw_settings
from mmrl.sandbox.world import SUBREDDITS
from mmrl.sources.reddit.api import connect
from mmrl.sources.reddit.source import RedditSource
from mmrl.times import from_epoch
from tests.support.sandbox_client import Client, faults

pytestmark = pytest.mark.slow

DAY = 86_400.0


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
