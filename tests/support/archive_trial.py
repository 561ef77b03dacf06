"""A collector on the sandbox's archive, in this process, whose clock skips what would be slept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from mmrl.catalog import Catalog
from mmrl.collector.service import Service
from mmrl.collector.status import Status
from mmrl.config import ArcticShiftSettings, RedditSettings, Settings
from mmrl.sandbox import SandboxServer, World
from mmrl.sources.connection import collector_settings, connect_live
from mmrl.sources.kinds import ARCTIC_SHIFT
from mmrl.sources.live import LiveSource
from mmrl.sources.transport import Transport
from tests.support.service_trial import START, WRITE_EVERY, JumpingClock


class ArchiveTrial:
    """A service on the archive; every run makes both anew, as a restart does."""

    def __init__(self, server: SandboxServer, catalog: Catalog) -> None:
        self.server, self.catalog = server, catalog
        names = [subreddit.name for subreddit in server.world.subreddits]
        self.settings = Settings(
            reddit=RedditSettings(subreddits=names, commit_seconds=WRITE_EVERY.total_seconds()),
            arctic_shift=ArcticShiftSettings(base_url=server.url, contact="tests@example.org"),
        )
        self.told: list[str] = []
        self.transport: Transport | None = None  # of the newest connection, where a test asks
        self.clock = JumpingClock(server)
        server.now = START.timestamp()

    def connect(self) -> tuple[LiveSource, Transport]:
        self.clock = JumpingClock(self.server)
        return connect_live(ARCTIC_SHIFT, self.settings, self.catalog.home, clock=self.clock)

    def service(self, **options: Any) -> Service:
        source, transport = self.connect()
        settings = collector_settings(ARCTIC_SHIFT, self.settings)
        given = {"heartbeat": WRITE_EVERY, "tell": self.told.append, **options}
        return Service(source, transport, self.catalog, settings, **given)

    def run(self, hours: float) -> Status:
        service = self.service()
        return service.run(self.clock.now() + timedelta(hours=hours))

    def ids(self) -> list[str]:
        return list(self.catalog.read("posts", ["post_id"])["post_id"].to_pylist())

    def observations(self) -> list[dict[str, Any]]:
        return list(self.catalog.read("observations").to_pylist())

    @property
    def archive(self) -> dict[str, Any]:
        """What the archive counted."""
        stats: dict[str, Any] = self.server.stats()["archive"]
        return stats

    def assert_polite(self) -> None:
        assert self.archive["most_in_a_second"] <= 2
        assert self.archive["single_ids"] == 0


@contextmanager
def archives(catalog: Catalog) -> Iterator[Callable[[World], ArchiveTrial]]:
    """Makes trials on one catalog; each was polite, and its sandbox ends with the block."""
    trials: list[ArchiveTrial] = []

    def made(world: World) -> ArchiveTrial:
        trial = ArchiveTrial(SandboxServer(world, simulated_limit=True).__enter__(), catalog)
        trials.append(trial)
        return trial

    try:
        yield made
        for trial in trials:
            trial.assert_polite()
    finally:
        for trial in trials:
            trial.server.__exit__(None, None, None)
