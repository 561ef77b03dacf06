"""`mmrl collect` as a process: killed, stopped, alone, once."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmrl.catalog import Catalog
from mmrl.home.make import init
from mmrl.sandbox import SandboxServer, praw_settings
from tests.support.command import ending, start
from tests.support.service_trial import START, busy
from tests.support.waiting import eventually


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    init(home)
    return home


def polls(server: SandboxServer) -> int:
    """How often new posts were asked for."""
    return int(server.stats()["requests"].get("r/*/new", 0))


def kept(said: str) -> int:
    """The count of new posts in a collector's last words."""
    return int(re.findall(r"([\d,]+) kept", said)[-1].replace(",", ""))


def command(home: Path, server: SandboxServer, *words: str, mode: str = "jump") -> Any:
    """Starts `mmrl` on the home with the sandbox's credentials."""
    ini = "\n".join(f"{name} = {value}" for name, value in praw_settings(server.url).items())
    (home / "praw.ini").write_text(f"[mmrl]\n{ini}\n")
    names = [subreddit.name for subreddit in server.world.subreddits]
    (home / "mmrl.toml").write_text(f"[reddit]\nsubreddits = {json.dumps(names)}\n")
    return start(*words, "--home", home, "--sandbox-clock", mode)


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer(
        busy(700, 1.4), requests_a_window=1_000, simulated_limit=True, speed=1
    ) as running:
        running.now = START.timestamp()
        yield running


@pytest.mark.slow
def test_kill_9_loses_nothing_and_doubles_nothing(home: Path, server: SandboxServer) -> None:
    for part in (0.3, 0.8):
        process = command(home, server, "collect")
        moment = START.timestamp() + part * 3_600
        eventually(lambda moment=moment: server.now >= moment, process, pause=0.01)
        process.kill()
        process.communicate()
    process = command(home, server, "collect", "--for", "50m", "--json")
    ended = ending(process)
    assert ended.code == 0, ended.err
    ids = Catalog.open(home).read("posts", ["post_id"])["post_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 700
    assert json.loads(ended.out)["state"] == "stopped"


@pytest.mark.slow
def test_where_its_memory_has_grown_it_starts_itself_anew_and_loses_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMRL_REDDIT__RESTART_AT_MB", "50")  # any process holds more
    with SandboxServer(busy(600, 4), simulated_limit=True, speed=1) as server:
        server.now = START.timestamp()
        ended = ending(command(home, server, "collect", "--for", "5h"))
        passed = server.now - START.timestamp()
    assert ended.code == 0, ended.err
    assert (ended.out + ended.err).count("starts anew, loses nothing") >= 3
    assert passed < 6 * 3_600  # what is left of --for goes on, not all of it
    catalog = Catalog.open(home)
    ids = catalog.read("posts", ["post_id"])["post_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 600
    seen = catalog.read("observations", ["post_id", "observed_at"])
    assert seen.num_rows == seen.group_by(["post_id", "observed_at"]).aggregate([]).num_rows


@pytest.mark.slow
def test_a_signal_ends_it_with_everything_kept_and_a_second_collector_is_refused(
    home: Path, server: SandboxServer
) -> None:
    process = command(home, server, "collect", mode="scaled")
    catalog = Catalog.open(home)
    server.now += 1_800
    eventually(lambda: polls(server) >= 3, process)
    second = ending(command(home, server, "collect", "--once"))
    assert second.code == 1
    assert f"process {process.pid}" in second.err
    third = ending(command(home, server, "observe"))
    assert third.code == 0
    assert "taken by another process" in third.out
    before = polls(server)
    process.send_signal(signal.SIGTERM)
    ended = ending(process)
    assert ended.code == 0, ended.err
    assert polls(server) == before  # it did not sleep on until the next one
    assert catalog.count("posts") == kept(ended.out) > 0
    assert "sandbox-client-secret" not in ended.out + ended.err


@pytest.mark.slow
def test_ctrl_c_ends_it_as_cleanly(home: Path, server: SandboxServer) -> None:
    server.now += 600
    process = command(home, server, "collect", mode="scaled")
    eventually(lambda: polls(server) >= 1, process)
    process.send_signal(signal.SIGINT)
    ended = ending(process)
    assert ended.code == 0, ended.err
    assert Catalog.open(home).count("posts") == kept(ended.out) > 0


@pytest.mark.slow
def test_once_makes_a_sweep_and_takes_the_observations_that_are_due(
    home: Path, server: SandboxServer
) -> None:
    server.now += 1_000
    for _ in range(2):
        ended = ending(command(home, server, "collect", "--once"))
        assert ended.code == 0, ended.err
        server.now += 2 * 3_600
    assert "kept" in ended.out
    observations = Catalog.open(home).read("observations", ["post_id"])["post_id"].to_pylist()
    assert max(observations.count(post_id) for post_id in set(observations)) == 2


@pytest.mark.slow
def test_a_time_that_is_none_is_refused(home: Path, server: SandboxServer) -> None:
    ended = ending(command(home, server, "collect", "--for", "soon"))
    assert ended.code == 2
    assert "expected a time such as 55m" in ended.err
