"""One round of work, as of one moment: a sweep for new posts, or the observations that are due.

The service (see `service`) does the same without an end, with the time of each answer.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from mmrl.catalog import Catalog
from mmrl.collector.cursors import Cursors
from mmrl.collector.gaps import Gaps
from mmrl.collector.listings import Discovery
from mmrl.collector.observations import Observations, ObserveReport
from mmrl.collector.writer import Keeper, SweepReport
from mmrl.config import Settings
from mmrl.sources.live import LiveSource

_COMMIT = 5_000  # observations a commit: fifty requests, half a minute at Reddit's rate limit


def sweep(
    source: LiveSource, catalog: Catalog, subreddits: Sequence[str], as_of: datetime
) -> SweepReport:
    """Keeps every post that is new since the last sweep, with its first observation.

    Authors' karma and the subreddits' subscribers belong to the first observation: later ones
    would tell of the post's own success.

    Raises:
        ConfigError: the source refuses the credentials.
        SourceError: it does not answer; nothing of this sweep is kept, the next one finds it.
    """
    report = SweepReport()
    cursors = Cursors(catalog, source.traits.mark)
    gaps = Gaps(catalog, source.traits)
    keeper = Keeper(source, catalog, lambda: as_of, report)
    discovery = Discovery(source, cursors, keeper, gaps, subreddits, lambda: as_of)
    for _ in range(0, len(discovery.open_names), source.traits.together):
        discovery.poll()
    keeper.flush()
    gaps.save()
    cursors.save(as_of)
    return report


def observe(
    source: LiveSource,
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    now: Callable[[], datetime] | None = None,
) -> ObserveReport:
    """Makes every observation that is due at `as_of`.

    Args:
        now: tells the time of an answer that has just come; without it, every observation is
            dated `as_of`.

    Raises:
        ConfigError: the source refuses the credentials.
        SourceError: it does not answer; the observations made before are kept.
    """
    observations = Observations(
        source, catalog, settings.reddit.checkpoints_hours, now or (lambda: as_of)
    )
    observations.reload(as_of)
    try:
        while observations.take():
            if observations.waiting >= _COMMIT:
                observations.flush()
    finally:  # also when the source stops answering half way
        observations.flush()
    return observations.report
