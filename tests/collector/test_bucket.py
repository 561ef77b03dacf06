"""`mmrl collect` into a home in an object store: locks and the request budget are objects there."""

import json
import signal
from pathlib import Path

import pytest

from mmrl.catalog import Catalog
from mmrl.home.make import init
from mmrl.sandbox import SandboxServer, praw_settings
from mmrl.sources.budget import budget_name
from mmrl.storage.opening import storage_of
from tests.support.command import ending, start
from tests.support.service_trial import START, busy
from tests.support.waiting import eventually


@pytest.mark.slow
def test_a_killed_collectors_successor_goes_on_at_once_within_the_same_budget(
    bucket: str, tmp_path: Path
) -> None:
    init(bucket)
    with SandboxServer(busy(200, 0.5), requests_a_window=1_000, simulated_limit=True) as server:
        server.now = START.timestamp()
        server.speed = 1
        praw = praw_settings(server.url)
        ini = "\n".join(f"{name} = {value}" for name, value in praw.items())
        (tmp_path / "praw.ini").write_text(f"[mmrl]\n{ini}\n")
        names = json.dumps([subreddit.name for subreddit in server.world.subreddits])
        env = {"XDG_CONFIG_HOME": str(tmp_path), "MMRL_REDDIT__SUBREDDITS": names}
        words = ("collect", "--home", bucket, "--sandbox-clock", "jump")

        def polls() -> int:
            return int(server.stats()["requests"].get("r/*/new", 0))

        killed = start(*words, **env)
        eventually(lambda: polls() > 2, killed)
        refused = ending(start(*words, **env))
        assert refused.code == 1
        assert "A collector runs on this home already (process" in refused.err
        killed.kill()
        killed.communicate()
        before = polls()
        follower = start(*words, **env)
        eventually(lambda: polls() > before + 2, follower)
        follower.send_signal(signal.SIGTERM)
        said = ending(follower)
        assert said.code == 0, said.err
    posts = Catalog.open(bucket).read("posts", ["post_id"])["post_id"].to_pylist()
    assert len(posts) == len(set(posts)) > 0
    storage = storage_of(bucket)
    assert storage.exists(budget_name(str(praw["client_id"])))
    assert storage.read("locks/collect") == storage.read("locks/looks") == b"{}"
