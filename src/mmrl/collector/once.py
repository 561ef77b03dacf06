"""One sweep of Reddit: the followed subreddits' new posts, each with its first look."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from mmrl.catalog import Catalog
from mmrl.collector.cursors import State
from mmrl.collector.gaps import Gaps
from mmrl.collector.listings import TOGETHER, Discovery
from mmrl.collector.writer import STAGE, Keeper, SweepReport, read_live

if TYPE_CHECKING:
    import praw

__all__ = ["STAGE", "SweepReport", "read_live", "sweep"]


def sweep(
    reddit: "praw.Reddit", catalog: Catalog, subreddits: Sequence[str], as_of: datetime
) -> SweepReport:
    """Keeps every post that is new since the last sweep, and a first look at it, as of one moment.

    Authors' karma and the subreddits' subscribers belong to the first look: later they would tell
    of the post's own success. The service (see `service`) does the same without an end, with the
    time of each answer.

    Raises:
        ConfigError: Reddit refuses the credentials.
        SourceError: Reddit does not answer; nothing of this sweep is kept, the next one finds it.
    """
    report = SweepReport()
    state = State(catalog)
    gaps = Gaps(catalog)
    keeper = Keeper(reddit, catalog, lambda: as_of, report)
    discovery = Discovery(reddit, state, keeper, gaps, subreddits, lambda: as_of)
    for _ in range(0, len(discovery.open_names), TOGETHER):
        discovery.poll()
    keeper.flush()
    gaps.save()
    state.save(as_of)
    return report
