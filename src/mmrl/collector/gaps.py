"""Gaps: ranges of ids whose posts no listing shows any more, because too many came after them.

Reddit's ids count up over all of Reddit. So the posts that a listing did not reach back to lie
between two ids, and one request to `info` answers for a hundred ids of any subreddit. A gap is
written to the table `gaps` before the frontier moves past it. It is filled newest first as the
budget allows, and work on it goes on after a restart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.fullnames import POST, fullname
from mmrl.catalog.tables import SCHEMAS
from mmrl.collector.writer import Keeper
from mmrl.sources.reddit import api as api

if TYPE_CHECKING:
    import praw

TABLE = "gaps"
OPEN, FILLED = "open", "filled"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass
class Gap:
    """Ids above `from_id` and below `filled_to` are still to be asked for; see the schema."""

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
        """Ids that are still to be asked for."""
        return self.filled_to - self.from_id - 1


class Gaps:
    """The open gaps of a catalog; changes wait for `save`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.open = [Gap(**row) for row in catalog.read(TABLE, where="state = 'open'").to_pylist()]
        self._changed: dict[str, Gap] = {}

    def add(self, subreddits: Sequence[str], from_id: int, to_id: int, at: datetime) -> None:
        """Notes that these subreddits were not read between two ids."""
        if to_id - from_id <= 1:
            return
        names = "+".join(sorted(name.lower() for name in subreddits))
        gap = Gap(f"{names}:{from_id}", names, from_id, to_id, to_id, at)
        # Found again before it was saved, or by a process that was killed: it is the same one.
        self.open = [other for other in self.open if other.gap != gap.gap] + [gap]
        self._changed[gap.gap] = gap

    @property
    def left(self) -> int:
        """Ids that are still to be asked for, each counted once."""
        ranges = sorted((gap.from_id + 1, gap.filled_to) for gap in self.open)
        total = reached = 0
        for start, end in ranges:
            total += max(0, end - max(start, reached))
            reached = max(reached, end)
        return total

    def fill(self, reddit: "praw.Reddit", keeper: Keeper) -> int:
        """Asks for the hundred newest ids that are left, of all gaps at once; returns how many.

        Raises:
            SourceError, ConfigError: see `api.info`; the ids are then still left.
        """
        if not self.open:
            return 0
        top = max(gap.filled_to for gap in self.open)
        lowest = min(gap.from_id for gap in self.open if gap.filled_to == top) + 1
        bottom = max(lowest, top - api.BATCH)
        fresh: list[str] = []
        for answer in api.info(reddit, [fullname(POST, to_base36(n)) for n in range(bottom, top)]):
            keeper.report.requests += 1
            fresh += keeper.offer(answer)
        for gap in self.open:
            if gap.filled_to > bottom:
                gap.filled_to = max(bottom, gap.from_id + 1)
                gap.kept += sum(name in gap.subreddits.split("+") for name in fresh)
                gap.state = FILLED if gap.filled_to <= gap.from_id + 1 else OPEN
                self._changed[gap.gap] = gap
        self.open = [gap for gap in self.open if gap.state == OPEN]
        return top - bottom

    def save(self) -> None:
        """Writes what changed, in one commit; to be called after the posts found were written."""
        rows = [vars(gap) for gap in self._changed.values()]
        self._catalog.upsert(TABLE, pa.Table.from_pylist(rows, schema=SCHEMAS[TABLE]))
        self._changed = {}


def to_base36(number: int) -> str:
    """A number as Reddit writes its ids."""
    text = ""
    while number:
        number, rest = divmod(number, 36)
        text = _DIGITS[rest] + text
    return text or "0"
