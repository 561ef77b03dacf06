"""Tasks: the kinds of work that the collector does, its upkeep of the catalog, and its life."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import psutil

from mmrl.catalog import Catalog
from mmrl.collector.status import in_words
from mmrl.errors import ConfigError
from mmrl.runtime.retry import COLLECTOR
from mmrl.sources.transport import Later

_LONGEST_YIELD = 30.0  # seconds that work waits for others before the budget is asked again
_LEAST_LIFE = timedelta(hours=1)
_COMPACT_EVERY = timedelta(minutes=20)
_DROP_EVERY = timedelta(hours=6)
_RELOAD_EVERY = timedelta(hours=6)  # posts that others brought in are due observations, too
_TABLES = ("posts", "observations", "service", "gaps", "failures")


@dataclass
class Task:
    """A kind of work: when it is due, and what to do.

    Attributes:
        not_before: after a failure, when to try again; `failures` in a row.
    """

    name: str
    due: Callable[[], datetime | None]
    work: Callable[[], None]
    not_before: datetime | None = None
    failures: int = 0

    def at(self) -> datetime | None:
        """The time to do it; None: not at all."""
        due = self.due()
        if due is None or self.not_before is None:
            return due
        return max(due, self.not_before)

    def run(self, now: Callable[[], datetime], tell: Callable[[str], None]) -> Exception | None:
        """Does it once. A failure is returned, and makes the work wait.

        Args:
            tell: is given a sentence when failures begin, and when they end.

        Raises:
            ConfigError: the source refuses the credentials.
        """
        try:
            self.work()
        except Later as later:
            self.not_before = now() + timedelta(seconds=min(later.seconds, _LONGEST_YIELD))
        except ConfigError:
            raise
        except Exception as error:
            self.failures += 1
            wait = COLLECTOR.wait(self.failures, random.random())
            self.not_before = now() + timedelta(seconds=wait)
            if self.failures == 1:
                tell(in_words(error))
            return error
        else:
            if self.failures:
                tell(f"{self.name}: works again after {self.failures} failures.")
            self.failures, self.not_before = 0, None
        return None


class Life:
    """The life of a collector's process: over where it holds more memory than it may.

    Args:
        most_mb: so much; 0 for no end.
        began: its birth; an hour is the least that it lives.
    """

    def __init__(self, most_mb: int, began: datetime) -> None:
        self._most, self._until = most_mb, began + _LEAST_LIFE

    def over(self, now: datetime) -> str:
        """Why it is over, as a sentence; empty where it goes on."""
        if not self._most or now < self._until:
            return ""
        held = psutil.Process().memory_info().rss / 1e6
        if held <= self._most:
            return ""
        return (
            f"Holds {held:,.0f} MB (restart_at_mb is {self._most:,}): starts anew, loses nothing."
        )


class Upkeep:
    """Keeps tables fast over weeks of small commits, and the queue of observations complete.

    Args:
        keep: how long old versions of the tables are kept.
        reload: makes the queue of observations anew from the catalog.
    """

    def __init__(
        self, catalog: Catalog, keep: timedelta, reload: Callable[[], None], now: datetime
    ) -> None:
        self._catalog = catalog
        self._keep = keep
        self._reload = reload
        self.restart(now)

    def restart(self, now: datetime) -> None:
        """All is due now but compaction, which has nothing to do yet."""
        self._drop_at = self._reload_at = now
        self._compact_at = now + _COMPACT_EVERY

    def next_at(self) -> datetime:
        """The time when something is due next."""
        return min(self._compact_at, self._drop_at, self._reload_at)

    def work(self, now: datetime) -> None:
        """Does one of the things that are due."""
        if now >= self._reload_at:
            self._reload()
            self._reload_at = now + _RELOAD_EVERY
        elif now >= self._compact_at:
            self._compact_at = now + _COMPACT_EVERY
            self._catalog.compact(_TABLES)
        else:
            self._drop_at = now + _DROP_EVERY
            self._catalog.drop_versions(_TABLES, self._keep)
