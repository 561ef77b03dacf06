"""Discovery of new posts in the listings of the followed subreddits.

Polls. Subreddits are polled together where the source can: Reddit's multireddits. A poll reads
back, a page at a time, until it meets posts below the frontier: the newest time of the last poll
that got this far. Then no post lies between the two polls. A listing is read back to 1,000 posts:
Reddit shows no more. Where it ends above the frontier, each subreddit's own listing is read, which
reaches further back. What that does not show either is a gap (see `gaps`); it can be asked for
only as long as ids count up. A group is polled again
when about half a page of new posts is expected, so that each page overlaps the one before.

Checks. Some posts are held back, or archived late, and then listed by their time of creation,
below the frontier, where polls do not look. So each subreddit's own listing is read again from time
to time: after some hundreds of its posts, or after a few hours, back to the last check; and once a
day back past the last daily check, by as long as the source may be late.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mmrl.collector.cursors import Cursors
from mmrl.collector.gaps import Gaps, in_words
from mmrl.collector.reading import Frontier, Reading
from mmrl.collector.writer import Keeper
from mmrl.sources.fields import Unreadable, moment
from mmrl.sources.live import LiveSource, Unreachable

_NEARLY = (
    0.9  # a listing that ended after this part of its reach ended there: pages leave posts out
)
_OVERLAP = 25  # posts below the frontier that a poll reads before it stops
_A_POLL = 50  # new posts that a poll is to find
_CHECK_AFTER = 600  # of its posts, until a subreddit's own listing is read again
_CLOSED_FOR = timedelta(days=1)
_ALL_CLOSED_FOR = timedelta(hours=1)
_CHECK_OVERLAP = timedelta(hours=1)
_READ_AGAIN = 3_600  # seconds below the frontier that a poll reads, where places are times
_HELD_BACK = timedelta(minutes=15)  # how long before a check posts may not have been shown in it
_FULL_CHECK_EVERY = timedelta(days=1)


@dataclass
class Group:
    """Subreddits that are polled together.

    Attributes:
        due_at: when to poll next.
    """

    names: list[str]
    due_at: datetime


class Discovery:
    """Polls the followed subreddits, and hands their posts to the keeper.

    Frontiers and gaps change in memory: write the posts, then the gaps, then the cursors.

    Args:
        now: tells the time of an answer that has just come.
        poll_seconds: least and longest time between two polls of a group.
        tell: is given a sentence for whoever watches.

    Attributes:
        newest_age: the newest post's age when the last poll saw it.
        polled_at: when a poll last ended.
    """

    def __init__(
        self,
        source: LiveSource,
        cursors: Cursors,
        keeper: Keeper,
        gaps: Gaps,
        subreddits: Sequence[str],
        now: Callable[[], datetime],
        poll_seconds: tuple[float, float] = (10.0, 900.0),
        tell: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._source = source
        self._traits = source.traits
        self._cursors = cursors
        self._keeper = keeper
        self._gaps = gaps
        self._now = now
        self._least, self._longest = (timedelta(seconds=value) for value in sorted(poll_seconds))
        self._tell = tell
        self._names = list({name.lower(): name for name in subreddits}.values())
        self._regroup(now())
        for name in self._names:
            if (why := self._cursors.of(name).closed) is not None:  # since before a restart
                self._keeper.report.unreachable[name] = why
        # When and at which place the last post was created of a listing that ended at the limit.
        self._oldest: tuple[datetime, int] | None = None
        self._highest, self._latest = 0, 0  # the newest place and time seen, in whichever listing
        marks = [self._cursors.of(name).unordered_since for name in self._names]
        self._unordered_since = max(filter(None, marks), default=None)
        self.newest_age: timedelta | None = None
        self.polled_at: datetime | None = None

    def restart(self, now: datetime) -> None:
        """Every group is due now: at the start, or because the clock was found to be wrong."""
        self._regroup(now)

    # Times

    def next_poll(self) -> datetime | None:
        """The time when a group is due next; None where all subreddits are closed."""
        return min((group.due_at for group in self._groups), default=None)

    def next_check(self) -> datetime | None:
        """The time when something is due to be read further back than a poll does."""
        return min((self._check_at(name) for name in self._names), default=None)

    # Work

    def poll(self) -> None:
        """Polls the group that is due first.

        Raises:
            SourceError, ConfigError: no answer; wrong credentials. It stays due.
        """
        group = min(self._groups, key=lambda group: group.due_at)
        fresh = [name for name in group.names if self._cursors.of(name).frontier is None]
        read = [name for name in group.names if name not in fresh]
        interval = self._longest
        # Those that were never read go by themselves: the others' frontier is not theirs.
        for names in filter(None, (read, fresh)):
            interval = min(interval, self._read(names))
        self.polled_at = self._now()
        group.due_at = self.polled_at + interval

    def check(self) -> None:
        """Reads one subreddit's own listing, further back than a poll; the one due first.

        It also tells whether the subreddit is closed, which a multireddit leaves out silently.

        Raises:
            SourceError, ConfigError: no answer; wrong credentials. It stays due.
        """
        name = min(self._names, key=self._check_at)
        was_closed = self._cursors.of(name).closed
        cursor = self._cursors.of(name)
        now = self._now()
        last, last_full = cursor.checked_at or now, cursor.full_check_at or now
        full = now - last_full >= _FULL_CHECK_EVERY
        highest, self._oldest = self._highest, None
        self._read([name], last_full - self._traits.late if full else last - _CHECK_OVERLAP)
        if cursor.closed is None:
            if self._oldest is not None and self._oldest[0] > last - _HELD_BACK:
                # So much was posted that what was held back then is beyond its listing.
                self._add_gap(name, cursor.checked_before, last - _HELD_BACK, self._oldest, now)
            cursor.checked_before = cursor.checked_to
            cursor.checked_to = max(cursor.checked_to, highest)
            cursor.checked_at, cursor.fresh = now, 0
            cursor.full_check_at = now if full else last_full
            if was_closed:
                self._tell(f"r/{name} is shown again.")
                self._regroup(self._now())

    def compare(self, shown: set[str]) -> None:
        """Compares the followed subreddits with those that the source shows, and reads the others.

        A closed one that it shows again is due now instead of tomorrow.

        Args:
            shown: names in lower case.

        Raises:
            SourceError, ConfigError: no answer; wrong credentials.
        """
        for name in self._names:
            cursor = self._cursors.of(name)
            if cursor.closed is None and name.lower() in shown:
                cursor.confirmed, cursor.confirmed_to = cursor.frontier, cursor.seen_to
            elif name.lower() in shown:
                cursor.retry_at = self._now()
        for group in list(self._groups):
            for name in group.names:
                if name.lower() not in shown:
                    self._read([name])

    @property
    def open_names(self) -> list[str]:
        """The followed subreddits that are not closed."""
        return [name for group in self._groups for name in group.names]

    def _check_at(self, name: str) -> datetime:
        cursor = self._cursors.of(name)
        if cursor.closed is not None:
            return cursor.retry_at or self._began
        if cursor.fresh >= _CHECK_AFTER and not self._traits.timed:
            return self._began
        return (cursor.checked_at or self._began) + self._traits.check_every

    def _regroup(self, now: datetime) -> None:
        self._began = now
        names = [name for name in self._names if self._cursors.of(name).closed is None]
        self._groups = [
            Group(names[start : start + self._traits.together], now)
            for start in range(0, len(names), self._traits.together)
        ]

    def _read(self, names: list[str], since: datetime | None = None) -> timedelta:
        """Reads a listing back to its subreddits' frontier; returns the time until the next poll.

        Args:
            since: read on, to posts that are older than this.
        """
        frontier = self._frontier(names)
        floor = self._floor(frontier, since)
        after, reading = None, Reading(frontier)
        interval = self._longest
        # Times are of all subreddits: what this listing will ever show below that is there by now.
        highest, latest = self._highest, self._latest
        while True:
            self._keeper.report.requests += 1
            try:
                posts, after = self._source.newest(names, after, floor)
            except Unreachable as error:
                return self._part(names, since, str(error))
            now = self._now()
            for name in self._keeper.offer(posts):
                self._cursors.of(name).fresh += 1
            if reading.read == 0:
                interval = self._interval(posts, now)
            reading.take(self._places(posts, now), len(posts))
            self._highest = max(self._highest, reading.newest)
            self._latest = max(self._latest, reading.newest_at)
            ended = after is None or not posts or reading.read >= self._traits.reach
            early = since is not None and posts and _created(posts[-1], now) > since
            if (reading.below >= _OVERLAP and not early) or ended:
                break
        self._note_order(reading)
        nearly = reading.read >= _NEARLY * self._traits.reach
        if nearly and early:
            self._oldest = _created(posts[-1], now) if posts else now, reading.oldest
        if not reading.below and frontier is not None and nearly:
            self._fall_short(names, frontier, reading)
        else:
            self._reached(names, max(reading.newest, highest), max(reading.newest_at, latest))
        return interval

    def _reached(self, names: list[str], place: int, seconds: int) -> None:
        """Notes that subreddits were read back to their frontier."""
        for name in names:
            self._reopen(name)
            self._advance(name, place, seconds)
            cursor = self._cursors.of(name)
            if len(names) == 1:
                cursor.confirmed, cursor.confirmed_to = cursor.frontier, cursor.seen_to
            if cursor.checked_at is None and place:  # else it bounds nothing
                cursor.checked_at = cursor.full_check_at = self._now()
                cursor.checked_before = cursor.checked_to = place

    def _advance(self, name: str, place: int, seconds: int) -> None:
        self._cursors.advance(name, place, None if self._traits.timed else seconds)

    def _frontier(self, names: list[str]) -> Frontier | None:
        """The lowest frontier of subreddits; None where one was never read, or none has posts."""
        cursors = [self._cursors.of(name) for name in names]
        if any(cursor.frontier is None for cursor in cursors):
            return None
        cursors = [cursor for cursor in cursors if cursor.frontier]
        if not cursors:
            return None
        seconds = [cursor.seen_to for cursor in cursors]
        return Frontier(
            min(cursor.frontier or 0 for cursor in cursors),
            None if None in seconds else min(filter(None, seconds), default=None),
        )

    def _places(self, posts: list[dict[str, Any]], now: datetime) -> list[tuple[int, int]]:
        """Time (epoch seconds) and place of each post that has a place."""
        return [
            (int(min(_created(post, now), now).timestamp()), place)
            for post in posts
            if (place := self._source.place(post)) is not None
        ]

    def _note_order(self, reading: Reading) -> None:
        """Keeps in mind whether ids count up; gaps can be asked for only as long as they do."""
        if self._traits.timed:
            return
        since = self._unordered_since
        if since is None and not reading.in_order():
            self._unordered_since = self._now()
            self._tell(
                f"{self._traits.label}'s ids no longer count up: gaps can't be asked for by their "
                "ids, so let the collector run without long breaks."
            )
        elif since is not None and reading.in_order_since(int(since.timestamp())):
            self._unordered_since = None
        if since != self._unordered_since:
            for name in self._names:
                self._cursors.of(name).unordered_since = self._unordered_since

    def _floor(self, frontier: Frontier | None, since: datetime | None) -> int | None:
        """The place below which nothing is to be read; None where only posts can tell it."""
        if frontier is None or not self._traits.timed:
            return None
        floor = frontier.place - _READ_AGAIN
        return floor if since is None else min(floor, int(since.timestamp()))

    def _part(self, names: list[str], since: datetime | None, why: str) -> timedelta:
        """Reads the listing in halves, as the source refuses the whole because of one subreddit."""
        if len(names) == 1:
            self._close(names[0], why)
            return self._longest
        half = len(names) // 2
        parts = names[:half], names[half:]
        return min(self._read(part, since) for part in parts)

    def _fall_short(self, names: list[str], frontier: Frontier, reading: Reading) -> None:
        """Reads single listings where a listing ended above the frontier; then notes a gap."""
        if len(names) > 1:
            for name in names:
                self._read([name])
            return
        self._keeper.report.gap = True
        since = datetime.fromtimestamp(frontier.seconds or 0, UTC)
        until = datetime.fromtimestamp(reading.oldest_at, UTC)
        if self._add_gap(names[0], frontier.place, since, (until, reading.oldest), self._now()):
            self._tell(
                f"r/{names[0]}: too much was posted since it was last read; "
                f"{in_words(self._gaps.left, self._traits.timed)} are left to ask for."
            )
        self._reopen(names[0])
        self._advance(names[0], reading.newest, reading.newest_at)

    def _add_gap(
        self,
        name: str,
        place: int,
        since: datetime,
        oldest: tuple[datetime, int],
        now: datetime,
    ) -> bool:
        """Notes a gap between a place, or a time, and a listing's end; whether it can be filled."""
        until, bottom = oldest
        if self._traits.timed or (self._unordered_since is None and place < bottom):
            self._gaps.add([name], place, bottom, now)
            return True
        ends = int(since.timestamp()), int(until.timestamp())
        if self._gaps.add_unlisted(name, *ends, now):
            self._tell(
                f"r/{name}: too much was posted from {since:%Y-%m-%d %H:%M} to {until:%H:%M} UTC, "
                f"and {self._traits.label}'s ids have no order to ask for it by: what later "
                "readings of its listing don't show is missing."
            )
        return False

    def _close(self, name: str, why: str) -> None:
        cursor = self._cursors.of(name)
        news = cursor.closed is None
        cursor.closed = why
        if news:  # polls since then may have missed its posts
            cursor.frontier, cursor.seen_to = cursor.confirmed, cursor.confirmed_to
        self._keeper.report.unreachable[name] = why
        others = any(self._cursors.of(other).closed is None for other in self._names)
        cursor.retry_at = self._now() + (_CLOSED_FOR if others else _ALL_CLOSED_FOR)
        for group in self._groups:
            group.names = [other for other in group.names if other != name]
        self._groups = [group for group in self._groups if group.names]
        if news:
            self._tell(
                f"r/{name} is left out: {self._traits.label} says {why}. "
                "It is asked for again daily."
            )

    def _reopen(self, name: str) -> None:
        cursor = self._cursors.of(name)
        cursor.closed, cursor.retry_at = None, None
        self._keeper.report.unreachable.pop(name, None)

    def _interval(self, posts: list[dict[str, Any]], now: datetime) -> timedelta:
        """How long the posts that a poll is to find took to be made, within the bounds."""
        times = sorted((_created(post, now) for post in posts), reverse=True)
        if times:
            age = max(now - times[0], timedelta(0))
            if self.newest_age is None or age < self._longest:
                self.newest_age = age
        took = now - times[_A_POLL - 1] if len(times) >= _A_POLL else self._longest
        return min(max(took, self._least), self._longest)


def _created(post: dict[str, Any], otherwise: datetime) -> datetime:
    try:
        return moment(post.get("created_utc"), "created_utc") or otherwise
    except Unreadable:
        return otherwise
