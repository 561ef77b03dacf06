"""Posts of the past from an archive: a home's connection to it, and a backfill."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mmrl.home import signals
from mmrl.home.collecting import alone
from mmrl.home.moments import Moment, days_before, moment

if TYPE_CHECKING:
    from mmrl.catalog import Catalog
    from mmrl.collector.backfill import Backfill
    from mmrl.config import Settings
    from mmrl.runtime.progress import Progress
    from mmrl.sources.live import LiveSource
    from mmrl.sources.transport import Transport

_DAYS = 30  # of the past, unless told otherwise


@dataclass(frozen=True)
class Archive:
    """A home's connection to the archive that the past is asked of, and whoever watches.

    Attributes:
        progress: is shown how far the work is.
        tell: is given a sentence on what it will take.
    """

    catalog: "Catalog"
    settings: "Settings"
    source: "LiveSource"
    transport: "Transport"
    progress: "Progress"
    tell: Callable[[str], None]

    def past(self, subreddits: Sequence[str], since: datetime, until: datetime) -> "Backfill":
        """The posts of a stretch of time, still to be brought."""
        from mmrl.collector.backfill import Backfill

        return Backfill(self.source, self.transport, self.catalog, subreddits, since, until)


@contextmanager
def connected(
    catalog: "Catalog",
    settings: "Settings",
    progress: "Progress",
    tell: Callable[[str], None],
    *,
    observing: bool,
    sandbox_clock: str | None,
) -> Iterator[Archive]:
    """Connects to Arctic Shift, for one process at a time, which signals stop.

    Args:
        observing: observations are taken, too.
        sandbox_clock: the time of a sandbox, for tests.

    Raises:
        Taken: a collector runs on the home.
    """
    from mmrl.sources.connection import connect_live
    from mmrl.sources.kinds import ARCTIC_SHIFT

    source, transport = connect_live(ARCTIC_SHIFT, settings, catalog.home)
    clock = transport.clock = signals.clock(sandbox_clock, source, transport.clock)
    with (
        alone(catalog.home, source.traits.mark, observing),
        signals.stopped_by_signals(clock, [transport]),
    ):
        yield Archive(catalog, settings, source, transport, progress, tell)


@dataclass(frozen=True)
class BackfillReport:
    """What a backfill did.

    Attributes:
        seen: posts in the answers; `new` were not known, and are now.
        requests: sent to the archive.
        subreddits: new posts by subreddit.
        empty: subreddits of which no post of that time is archived, in lower case.
        ended: false where it was stopped; the same call goes on from there.
    """

    seen: int
    new: int
    requests: int
    subreddits: dict[str, int]
    empty: tuple[str, ...]
    ended: bool

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "seen": self.seen,
            "new": self.new,
            "requests": self.requests,
            "subreddits": self.subreddits,
            "ended": self.ended,
        }


def named(subreddits: Sequence[str]) -> list[str]:
    """The names of subreddits without r/, each once; a single text is one name."""
    names = [subreddits] if isinstance(subreddits, str) else subreddits
    return list(dict.fromkeys(name.removeprefix("r/") for name in names))


def backfill(
    archive: Archive, subreddits: Sequence[str], after: Moment, before: Moment, days: int | None
) -> BackfillReport:
    """Says what the posts of a stretch of time will take, and brings them; see `Home.backfill`."""
    from mmrl.errors import InputError
    from mmrl.runtime.clock import Halt

    if after is not None and days is not None:
        raise InputError("`after` and `days` both say where the past begins: give one of them.")
    until = archive.transport.now() if before is None else moment(before)
    back = _DAYS if days is None else days
    since = days_before(until, back) if after is None else moment(after)
    followed = archive.settings.reddit.subreddits
    work = archive.past(named(subreddits) or followed, since, until)
    ended = True
    try:
        archive.tell(work.sample().sentence())
        work.run(archive.progress, lambda: archive.transport.clock.stopping)
    except Halt:
        ended = False
    report = work.report
    return BackfillReport(
        seen=report.seen,
        new=report.new,
        requests=report.requests,
        subreddits=dict(report.subreddits),
        empty=tuple(work.empty),
        ended=ended and work.left == 0,
    )
