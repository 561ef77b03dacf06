"""Backfill: the past of subreddits from an archive, a page at a time, newest first.

What is asked for is written down as gaps, one a subreddit, before the first request. Each page is
written before its gap moves on, so that after a kill at most one page is asked for again. What an
earlier backfill has asked for is not asked for again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mmrl.catalog import Catalog
from mmrl.collector.cursors import Cursors
from mmrl.collector.gaps import TABLE, Gap, Gaps
from mmrl.collector.writer import Keeper, SweepReport
from mmrl.errors import InputError
from mmrl.runtime.counted import counted
from mmrl.runtime.progress import Progress
from mmrl.sources.live import LiveSource
from mmrl.sources.transport import Transport

_COMPACT_EVERY = 25  # pages; each leaves a small file in three tables
_PICTURE = 400_000  # bytes that an image is taken to have, see docs/scaling.md
_TABLES = ("posts", "observations", "gaps", "service")
_FRESH = 86_400  # seconds; the end of a gap was so new when it was noted that posts were to come
_OVERLAP = 6 * 3_600  # seconds of it that are asked for again


@dataclass(frozen=True)
class Estimate:
    """What a backfill will take, told from its first page of each subreddit.

    Attributes:
        posts, requests: still to come.
        received: bytes of the answers still to come, as sent over the network when not compressed.
        pictures: images to fetch of posts that were not known, those of the first pages among them.
    """

    posts: int
    requests: int
    received: int
    pictures: int

    def sentence(self) -> str:
        """The estimate in words."""
        if not (self.requests or self.pictures):
            return "Nothing is left to bring."
        sentences = ["The first answers held all posts."]
        if self.requests:
            size = self.received / 1_000_000
            requests = counted(self.requests, "request")
            sentences = [
                f"About {self.posts:,} more posts, in about {requests} and {size:,.1f} MB of "
                "answers."
            ]
        if self.pictures:
            size = self.pictures * _PICTURE / 1_000_000
            sentences.append(
                f"Their images are about {counted(self.pictures, 'request')} more, and about "
                f"{size:,.0f} MB at {_PICTURE / 1_000_000} MB each."
            )
        return " ".join(sentences)


class Backfill:
    """Brings the posts of subreddits that were created in a stretch of time.

    Args:
        source: an archive, whose places are times.
        after, before: the stretch; posts at `after` are in it.

    Attributes:
        report: counts of it, as of any search for posts.

    Raises:
        InputError: the stretch is empty.
    """

    def __init__(
        self,
        source: LiveSource,
        transport: Transport,
        catalog: Catalog,
        subreddits: Sequence[str],
        after: datetime,
        before: datetime,
    ) -> None:
        if after >= before:
            raise InputError(
                f"`after` is {after:%Y-%m-%d %H:%M}, which is not before "
                f"{before:%Y-%m-%d %H:%M}: no post can be in between."
            )
        self._source, self._transport, self._catalog = source, transport, catalog
        self._now = transport.now
        self.report = SweepReport()
        self._keeper = Keeper(source, catalog, self._now, self.report)
        self._cursors = Cursors(catalog, source.traits.mark)
        self._gaps = Gaps(catalog, source.traits)
        self._pages = 0
        first, last = int(after.timestamp()), int(before.timestamp())
        for name in dict.fromkeys(name.lower() for name in subreddits):
            for start, end in self._lacking(name, first, last):
                self._gaps.add([name], start, end, self._now())
            if self._cursors.of(name).frontier is None:
                # What comes from now on is the collector's to find.
                self._cursors.advance(name, last, None)
        self._gaps.save()
        self._cursors.save(self._now())
        self._asked = {gap.subreddits for gap in self._gaps.open}
        self._met: set[str] = set()

    @property
    def left(self) -> int:
        """Seconds that are still to be asked for, of each subreddit."""
        return self._gaps.left

    @property
    def empty(self) -> list[str]:
        """The subreddits of which no post was met, in lower case."""
        return sorted(self._asked - self._met)

    def sample(self) -> Estimate:
        """Brings one page of each gap, and tells from them what the rest will take."""
        posts = requests = size = pictures = 0.0
        for gap in list(self._gaps.open):
            pages, seen, received = self._pages, self.report.seen, self._transport.received
            pictured = self.report.pictured
            places = self._page(gap)
            share = gap.left / max(places, 1)
            posts += share * (self.report.seen - seen)
            requests += share * (self._pages - pages) + (gap.left > 0)
            size += share * (self._transport.received - received)
            pictures += (1 + share) * (self.report.pictured - pictured)
        return Estimate(round(posts), round(requests), round(size), round(pictures))

    def run(self, progress: Progress, stop: Callable[[], bool] = lambda: False) -> SweepReport:
        """Brings all that is left, and returns what it did.

        Args:
            progress: is advanced by seconds of the past.
            stop: is asked before each page whether to go on later.

        Raises:
            SourceError: no answer; what was read so far is kept, and not asked for again.
        """
        progress.start("backfill", self.left)
        try:
            while self._gaps.open and not stop():
                progress.advance(self._page(max(self._gaps.open, key=lambda gap: gap.filled_to)))
        finally:
            self._catalog.compact(_TABLES)
            progress.finish(
                f"{self.report.seen:,} posts, {self.report.new:,} new, "
                f"{self._pages:,} requests, {self._transport.received / 1e6:,.1f} MB"
            )
        return self.report

    def _page(self, gap: Gap) -> int:
        """Brings a page and keeps it; returns how many seconds of the past it covers."""
        seen = self.report.seen
        places = self._gaps.fill(self._source, self._keeper, gap)
        if self.report.seen > seen:
            self._met.add(gap.subreddits)
        self._pages += 1
        self._keeper.flush(final=True)
        self._gaps.save()
        if self._pages % _COMPACT_EVERY == 0:
            self._catalog.compact(_TABLES)
        return places

    def _lacking(self, name: str, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of a stretch that no gap of the subreddit covers yet: first and last second."""
        begins = f"{self._source.traits.mark}{name}:"
        rows: list[dict[str, Any]] = self._catalog.read(TABLE).to_pylist()
        parts, start = [], first
        for row in sorted(rows, key=lambda row: row["from_id"]):
            if not row["gap"].startswith(begins) or row["to_id"] <= start:
                continue
            if row["from_id"] >= start:
                parts.append((start, min(row["from_id"], last)))
            start = row["to_id"]
            if last >= start and row["found_at"].timestamp() - start < _FRESH:
                start -= _OVERLAP  # which may not have been archived yet
        parts.append((start, last))
        return [(start, end) for start, end in parts if end >= start]
