"""Takes the looks that are due: the command's own way; the service takes them by and by."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from mmrl.catalog import Catalog
from mmrl.collector.looks import ABSENT, STAGE, Looks, ObserveReport, due
from mmrl.config import Settings

if TYPE_CHECKING:
    import praw

__all__ = ["ABSENT", "STAGE", "ObserveReport", "due", "observe"]
_COMMIT = 5_000  # looks a commit: a hundred requests, a minute of Reddit's rate limit


def observe(
    reddit: "praw.Reddit",
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    now: Callable[[], datetime] | None = None,
) -> ObserveReport:
    """Takes every look that is due at `as_of`.

    Args:
        now: tells the time of an answer that has just come; without it, all is looked at at
            `as_of`.

    Raises:
        ConfigError: Reddit refuses the credentials.
        SourceError: Reddit does not answer; the looks taken before are kept.
    """
    looks = Looks(reddit, catalog, settings.reddit.checkpoints_hours, now or (lambda: as_of))
    looks.reload(as_of)
    try:
        while looks.take():
            if looks.waiting >= _COMMIT:
                looks.flush()
    finally:  # also when Reddit stops answering half way
        looks.flush()
    return looks.report
