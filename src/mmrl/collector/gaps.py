"""Gaps: ranges of places that no listing was read back to, because too many posts came after them.

A place is what a source tells posts' order by: for Reddit the id, which counts up over all of it,
so that one request answers for a hundred ids of any subreddit; for an archive the time. A gap is
written to the table `gaps` before the frontier moves past it. It is filled newest first as the
budget allows, and work on it goes on after a restart. A backfill is a gap that somebody asked for.

Where ids have no order, nothing can be asked for between two of them: such a gap is kept as a
stretch of time, is never filled, and is told by `collect` and `status`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.collector.writer import Keeper
from mmrl.sources.live import LiveSource, Traits

TABLE = "gaps"
OPEN, FILLED, UNLISTED = "open", "filled", "unlisted"


@dataclass
class Gap:
    """Places above `from_id` and below `filled_to` are still to be asked for; see the schema.

    Of an unlisted gap, `from_id` and `to_id` are epoch seconds.
    """

    gap: str
    subreddits: str
    from_id: int
    to_id: int
    filled_to: int
    found_at: datetime
    state: str = OPEN
    kept: int = 0

    @property
    def left(self) -> int:
        """Places that are still to be asked for."""
        return self.filled_to - self.from_id - 1


class Gaps:
    """The open gaps of a catalog that are a source's to fill; changes wait for `save`."""

    def __init__(self, catalog: Catalog, traits: Traits) -> None:
        self._catalog = catalog
        self._traits = traits
        rows = catalog.read(TABLE, where="state = 'open'").to_pylist()
        self.open = [Gap(**row) for row in rows if _mark(row["gap"]) == traits.mark]
        rows = catalog.read(TABLE, where=f"state = '{UNLISTED}'").to_pylist()
        self.unlisted = [Gap(**row) for row in rows if _mark(row["gap"]) == traits.mark]
        self._changed: dict[str, Gap] = {}

    def add(self, subreddits: Sequence[str], from_id: int, to_id: int, at: datetime) -> None:
        """Notes that these subreddits were not read between two places."""
        if self._traits.timed:  # at both ends others may have been left out
            from_id, to_id = from_id - 1, to_id + 1
        if to_id - from_id <= 1:
            return
        names = "+".join(sorted(name.lower() for name in subreddits))
        gap = Gap(f"{self._traits.mark}{names}:{from_id}", names, from_id, to_id, to_id, at)
        # Found again before it was saved, or by a process that was killed: it is the same one.
        self.open = [other for other in self.open if other.gap != gap.gap] + [gap]
        self._changed[gap.gap] = gap

    def add_unlisted(self, subreddit: str, since: int, until: int, at: datetime) -> bool:
        """Notes that a subreddit was not read between two times, and can't be: ids have no order.

        Args:
            since, until: epoch seconds.

        Returns:
            False where it only widens a gap that was noted before.
        """
        name = subreddit.lower()
        gap = Gap(f"{self._traits.mark}{name}:t{since}", name, since, until, until, at, UNLISTED)
        others = []
        for other in self.unlisted:
            if other.subreddits == name and _overlap(gap, other):
                ends = min(gap.from_id, other.from_id), max(gap.to_id, other.to_id)
                gap = replace(other, from_id=ends[0], to_id=ends[1], filled_to=ends[1])
            else:
                others.append(other)
        news = len(others) == len(self.unlisted)
        self.unlisted = [*others, gap]
        self._changed[gap.gap] = gap
        return news

    @property
    def left(self) -> int:
        """Places that are still to be asked for, each counted once a listing."""
        if self._traits.timed:
            return sum(gap.left for gap in self.open)
        ranges = sorted((gap.from_id + 1, gap.filled_to) for gap in self.open)
        total = reached = 0
        for start, end in ranges:
            total += max(0, end - max(start, reached))
            reached = max(reached, end)
        return total

    def fill(self, source: LiveSource, keeper: Keeper, gap: Gap | None = None) -> int:
        """Asks for the newest posts that are left, in one request; returns how many places it read.

        Where a request answers for any subreddit, that is of all gaps at once.

        Args:
            gap: the one to fill; the one that reaches highest unless given.

        Raises:
            SourceError, ConfigError: no answer; the places are then still left.
        """
        if not self.open:
            return 0
        if gap is None:
            gap = max(self.open, key=lambda gap: gap.filled_to)
        top = gap.filled_to
        lowest = min(other.from_id for other in self.open if other.filled_to == top)
        if self._traits.timed:
            lowest = gap.from_id
        stretch = source.stretch(gap.subreddits.split("+"), lowest, top)
        fresh: list[str] = []
        for answer in stretch.answers:
            keeper.report.requests += 1
            fresh += keeper.offer(answer)
        alike = [gap] if self._traits.timed else self.open
        for other in alike:
            if other.filled_to > stretch.bottom:
                other.filled_to = max(stretch.bottom, other.from_id + 1)
                other.kept += sum(name in other.subreddits.split("+") for name in fresh)
                other.state = FILLED if other.filled_to <= other.from_id + 1 else OPEN
                self._changed[other.gap] = other
        self.open = [other for other in self.open if other.state == OPEN]
        return top - stretch.bottom

    def filled(self) -> int:
        """How many were filled, by the table."""
        rows = self._catalog.read(TABLE, ["gap"], f"state = '{FILLED}'")["gap"].to_pylist()
        return sum(_mark(gap) == self._traits.mark for gap in rows)

    def save(self) -> None:
        """Writes what changed, in one commit; to be called after the posts found were written."""
        rows = [vars(gap) for gap in self._changed.values()]
        self._catalog.upsert(TABLE, pa.Table.from_pylist(rows, schema=SCHEMAS[TABLE]))
        self._changed = {}


def _overlap(one: Gap, other: Gap) -> bool:
    return one.from_id <= other.to_id and other.from_id <= one.to_id


def _mark(gap: str) -> str:
    """The mark of the source whose gap this is."""
    return gap[: gap.rfind("/") + 1]


def in_words(places: int, timed: bool) -> str:
    """Places in words: ids, or the time between the ends of gaps."""
    if not timed:
        return f"{places:,} ids"
    return f"{places / 3_600:,.1f} hours" if places < 2 * 86_400 else f"{places / 86_400:,.1f} days"
