"""A sandbox's server with a small world, and clients of it."""

from collections.abc import Iterator

import praw
import pytest
from prawcore.sessions import FiniteRetryStrategy

from mmrl.sandbox import SandboxServer, World, praw_settings
from mmrl.sources.reddit.api import connect
from tests.support.sandbox_client import Client

DAY = 86_400.0


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


@pytest.fixture
def client(server: SandboxServer) -> Client:
    return Client(server).log_in()
