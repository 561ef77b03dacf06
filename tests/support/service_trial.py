"""A collector on a sandbox in the test's own process, whose clock skips what would be slept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from mmrl.catalog import Catalog
from mmrl.collector.service import Service
from mmrl.collector.status import Status
from mmrl.config import RedditSettings
from mmrl.sandbox import SandboxServer, World, praw_settings
from mmrl.sandbox.world import SUBREDDITS
from mmrl.sources.budget import Budget, budget_name
from mmrl.sources.reddit.api import connect
from mmrl.sources.reddit.source import RedditSource, to_base36
from mmrl.sources.transport import Transport
from mmrl.storage.opening import storage_of

START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
WRITE_EVERY = timedelta(minutes=5)  # writes are most of what a simulated minute costs


class JumpingClock:
    """The sandbox's own clock, wrong by some seconds where told; what is slept is skipped."""

    def __init__(self, server: SandboxServer, ahead: float = 0.0) -> None:
        self._server = server
        self._ahead = ahead
        self._stopping = False
        self.on_sleep: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._server.now + self._ahead, UTC)

    def sleep(self, seconds: float) -> None:
        self._server.now += max(seconds, 0)
        self.on_sleep()

    def stop(self) -> None:
        self._stopping = True

    @property
    def stopping(self) -> bool:
        return self._stopping


def busy(posts: int, hours: float, subreddits: int = 3, *, pictured: bool = False) -> World:
    """A world at a steady rate, its ids as far apart as every seventh of Reddit's.

    Args:
        pictured: every second post names a picture, which nobody can fetch.
    """
    return World.from_posts(
        [
            {
                "id": to_base36(0x40000000 + 7 * number),
                "title": f"Post {number}",
                "subreddit": SUBREDDITS[number % subreddits],
                "created": START.timestamp() + number * hours * 3_600 / posts,
                "score": number % 50,
                "author": f"author{number % 40}",
                "file": f"{number}.png" if pictured and number % 2 else None,
            }
            for number in range(posts)
        ]
    )


class Trial:
    """A service on a sandbox, in this process; every run makes both anew, as a restart does."""

    def __init__(self, server: SandboxServer, catalog: Catalog, **settings: Any) -> None:
        self.server, self.catalog = server, catalog
        names = [subreddit.name for subreddit in server.world.subreddits]
        given = {"subreddits": names, "commit_seconds": WRITE_EVERY.total_seconds(), **settings}
        self.settings = RedditSettings(**given)
        self.told: list[str] = []
        self.clock = JumpingClock(server)
        server.now = START.timestamp()

    def service(self, ahead: float = 0.0, **options: Any) -> Service:
        self.clock = JumpingClock(self.server, ahead)
        given = praw_settings(self.server.url)
        transport = Transport(
            self.clock, Budget(storage_of(self.catalog.home), budget_name(given["client_id"]))
        )
        reddit = connect(transport=transport, **given)
        return Service(
            RedditSource(reddit),
            transport,
            self.catalog,
            self.settings,
            tell=self.told.append,
            heartbeat=WRITE_EVERY,
            **options,
        )

    def run(self, hours: float, ahead: float = 0.0, **options: Any) -> Status:
        service = self.service(ahead, **options)
        return service.run(self.clock.now() + timedelta(hours=hours))

    def ids(self) -> list[str]:
        return list(self.catalog.read("posts", ["post_id"])["post_id"].to_pylist())

    def there(self) -> list[str]:
        return [post.id for post in self.server.world if post.created <= self.server.now]


@contextmanager
def trials(catalog: Catalog) -> Iterator[Callable[..., Trial]]:
    """Makes trials on one catalog; their sandboxes end with the block."""
    servers: list[SandboxServer] = []

    def made(world: World, limit: int = 1_000, **settings: Any) -> Trial:
        server = SandboxServer(world, requests_a_window=limit, simulated_limit=True)
        servers.append(server.__enter__())
        return Trial(server, catalog, **settings)

    try:
        yield made
    finally:
        for server in servers:
            server.__exit__(None, None, None)
