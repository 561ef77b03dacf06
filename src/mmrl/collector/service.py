"""The collector that runs without an end: polls, looks, fills gaps, writes, and says how it does.

One thing is done at a time, the most urgent first: discovery, writing, looks, daily checks, gaps,
upkeep. What fails waits alone, a little longer each time, while the rest goes on. Only wrong
credentials end it.
"""

import os
import random
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrl.catalog import Catalog
from mmrl.collector.comments import CommentStream
from mmrl.collector.cursors import State
from mmrl.collector.gaps import Gaps
from mmrl.collector.listings import Discovery
from mmrl.collector.looks import Looks
from mmrl.collector.writer import Keeper, SweepReport
from mmrl.config import RedditSettings
from mmrl.errors import ConfigError, MmrlError
from mmrl.runtime.clock import Halt
from mmrl.runtime.retry import COLLECTOR
from mmrl.sources.kinds import REDDIT
from mmrl.sources.reddit import api as api
from mmrl.sources.reddit.budget import Priority
from mmrl.sources.reddit.transport import Later, Transport
from mmrl.times import iso, parse_time

if TYPE_CHECKING:
    import praw

_MANY = 300  # posts or looks that are written without waiting for more
_TOO_MANY = 3_000  # that wait because they can't be written: nothing more is asked for
_AT_ONCE = datetime(2005, 6, 1, tzinfo=UTC)  # any time that is over
_HEARTBEAT = timedelta(minutes=1)
_ABOUT_EVERY = timedelta(hours=1)
_COMPACT_EVERY = timedelta(minutes=20)
_DROP_EVERY = timedelta(hours=6)
_RELOAD_EVERY = timedelta(hours=6)  # posts that others brought in are due looks, too
_PATIENCE = 20.0  # seconds that a request is tried again for before others are let go first
_FILLS_ONCE = 30  # requests for gaps in a single sweep
_LAST_WORDS = 3.0  # seconds for Reddit to tell of authors when the service ends
_SKEW_WORTH_SAYING = 30.0  # seconds
_TIMES = frozenset({"started_at", "at", "polled_at", "last_error_at"})  # of a status
_TABLES = ("posts", "observations", "service", "gaps", "failures")


@dataclass
class Status:
    """How the collector does.

    Attributes:
        state: running, stopped, or failed: `last_error` ended it.
        seen, kept: posts in answers; those of them that were new and are written.
        subreddits: kept posts by subreddit.
        looks, looks_late, looks_due: taken; taken over ten minutes late; waiting now.
        requests: sent, tries and tokens included; `used` of `limit` in the last 60 seconds.
        newest_age: seconds between a post's creation and its first sight, the newest one lately.
        polled_at: when discovery last read back to what it knew.
        gap_ids: ids that gaps leave to ask for.
        left_out: subreddits that Reddit does not show, with its answer.
        last_error, last_error_at: the newest failure; `failing` while it lasts.
        skew: seconds that Reddit's clock is ahead of this machine's, where they don't agree.
    """

    state: str = "running"
    started_at: datetime | None = None
    at: datetime | None = None
    seen: int = 0
    kept: int = 0
    subreddits: dict[str, int] = field(default_factory=dict)
    looks: int = 0
    looks_late: int = 0
    looks_due: int = 0
    gone: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    used: int = 0
    limit: int | None = None
    newest_age: float | None = None
    polled_at: datetime | None = None
    gap_ids: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    last_error: str | None = None
    last_error_at: datetime | None = None
    failing: bool = False
    faults: dict[str, int] = field(default_factory=dict)
    skew: float = 0.0
    process: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and the catalog: times as ISO 8601."""
        return {
            name: iso(value) if isinstance(value, datetime) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> "Status":
        """What `as_dict` gave; what another version of mmrl knew besides is left out."""
        known = {field.name for field in fields(cls)} & set(given)
        values: dict[str, Any] = {name: given[name] for name in known}
        for name in known & _TIMES:
            values[name] = values[name] and parse_time(values[name])
        return cls(**values)


@dataclass
class _Task:
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
        """When to do it; None: not at all."""
        due = self.due()
        if due is None or self.not_before is None:
            return due
        return max(due, self.not_before)


class Service:
    """Collects into a catalog until it is stopped.

    Args:
        reddit, transport: the connection for discovery, gaps and, unless `observer` is given, the
            looks.
        observer: a connection and its transport for the looks alone, of another client.
        looks: take the looks that are due, too; False leaves them to `mmrl observe`.
        tell: is given a sentence for whoever watches.
    """

    def __init__(
        self,
        reddit: "praw.Reddit",
        transport: Transport,
        catalog: Catalog,
        settings: RedditSettings,
        *,
        observer: "tuple[praw.Reddit, Transport] | None" = None,
        looks: bool = True,
        tell: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._reddit, self._transport = reddit, transport
        self._observer, self._look_transport = observer or (reddit, transport)
        self._catalog, self._settings, self._tell = catalog, settings, tell
        self._now, self._clock = transport.now, transport.clock
        now = self._now()
        self.status = Status(started_at=now)
        self._report = SweepReport()
        self._state = State(catalog)
        self._gaps = Gaps(catalog)
        self._keeper = Keeper(
            reddit, catalog, self._now, self._report, settings.subreddits, new_times=True
        )
        self._finder: Discovery | CommentStream
        self._discovery: Discovery | None = None
        if settings.discovery == "new":
            self._finder = self._discovery = Discovery(
                reddit,
                self._state,
                self._keeper,
                self._gaps,
                settings.subreddits,
                self._now,
                settings.poll_seconds,
                tell,
            )
        else:
            self._finder = CommentStream(
                reddit, self._keeper, settings.subreddits, self._now, settings.poll_seconds[0]
            )
        self._looks: Looks | None = None
        if looks:
            self._looks = Looks(
                self._observer, catalog, settings.checkpoints_hours, self._now, new_times=True
            )
        self._looks_since: datetime | None = None  # when the first look that waits was taken
        self._begin(now)
        self._skew_told = False
        self._running = False  # without an end: what must wait lets others go first
        self._tasks = [
            _Task("discovery", self._poll_at, self._finder.poll),
            _Task("writing", self._write_at, self._write),
            _Task("looks", self._look_at, self._look),
            _Task("subreddits", self._subreddits_at, self._ask_about),
            _Task("checks", self._check_at, self._check),
            _Task("gaps", self._fill_at, self._fill),
            _Task("upkeep", self._upkeep_at, self._upkeep),
        ]

    def _begin(self, now: datetime) -> None:
        """Makes everything due that is done now and then, by a clock that is right now."""
        self._began_with_skew = self._transport.skew
        self._finder.restart(now)
        self._keeper.since = self._looks_since = None
        self._saved_at = self._about_at = self._drop_at = self._reload_at = now
        self._compact_at = now + _COMPACT_EVERY
        for task in getattr(self, "_tasks", ()):
            task.not_before = None

    # Running

    def run(
        self,
        until: datetime | None = None,
        watch: Callable[[Status], None] = lambda status: None,
        tick: float = 60.0,
    ) -> Status:
        """Works until the clock is stopped, or until a time; keeps what it found, and returns.

        Args:
            until: by this machine's clock.
            watch: is called with the status after each piece of work and wait.
            tick: the longest wait, in seconds.

        Raises:
            ConfigError: Reddit refuses the credentials; what was found before is kept.
        """
        transports = {id(t): t for t in (self._transport, self._look_transport)}.values()
        for transport in transports:
            transport.patience = _PATIENCE
        self._running, self._tick = True, tick
        try:
            with self._ending():
                while not self._clock.stopping and (until is None or self._clock.now() < until):
                    self._step(until)
                    watch(self._refresh())
        finally:
            watch(self._refresh())
        return self.status

    def once(self) -> Status:
        """One sweep over all groups, some filling of gaps, and every look that is due.

        Raises:
            SourceError, ConfigError: no answer; wrong credentials. What was found is kept.
        """
        with self._ending():
            self._ask_about()  # first, as the answer tells the time
            began = self._now()
            self._begin(began)
            if self._looks is not None:
                self._looks.reload(began)
            while (due := self._finder.next_poll()) is not None and due <= began:
                self._finder.poll()
            if isinstance(self._finder, CommentStream):
                self._finder.ask()
            while (due := self._check_at()) is not None and due <= began:
                self._check()
            for _ in range(_FILLS_ONCE):
                self._fill()
            self._write()
            while self._looks is not None and self._looks.due(self._now()):
                self._look()
                if self._looks.waiting >= _MANY:
                    self._write()
        return self._refresh()

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """Keeps at the end what was found, and says how it ended; a halt is no failure."""
        try:
            yield
            self.status.state = "stopped"
        except Halt:
            self.status.state = "stopped"
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            self._finish()

    def _step(self, until: datetime | None) -> None:
        """Does the most urgent thing that is due, or waits for the next one."""
        now = self._now()
        if abs(self._transport.skew - self._began_with_skew) > _SKEW_WORTH_SAYING:
            self._begin(now)
        times = [(task.at(), task) for task in self._tasks]
        task = next((task for at, task in times if at is not None and at <= now), None)
        if task is None:
            following = min(at for at, _ in times if at is not None)
            pause = (following - now).total_seconds()
            if until is not None:
                pause = min(pause, (until - self._clock.now()).total_seconds())
            self._clock.sleep(min(max(pause, 0.01), self._tick))
            return
        try:
            task.work()
        except Later as later:
            task.not_before = self._now() + timedelta(seconds=min(later.seconds, 30.0))
        except ConfigError:
            raise
        except Exception as error:
            task.failures += 1
            wait = COLLECTOR.wait(task.failures, random.random())
            task.not_before = self._now() + timedelta(seconds=wait)
            if task.failures == 1:
                self._tell(_in_words(error))
            self._note(error)
        else:
            if task.failures:
                self._tell(f"{task.name}: works again after {task.failures} failures.")
            task.failures, task.not_before = 0, None
            self._tell_of_skew()

    def _finish(self) -> None:
        """Writes what waits; Reddit is asked for authors' facts for a few seconds at most."""
        for transport in (self._transport, self._look_transport):
            transport.finishing, transport.patience = True, _LAST_WORDS
        try:
            if self._looks is not None:
                self._looks.flush()
            self._keeper.flush(final=True)
            self._gaps.save()
            self._state.save(self._now(), self._refresh().as_dict())
        except MmrlError as error:
            # What was not written is found again: its frontier was not saved either.
            self._note(error)
            self._tell(str(error))

    def _at(
        self, priority: Priority, transport: Transport | None = None
    ) -> AbstractContextManager[None]:
        """Requests of this priority; what must wait lets others go first, if there is a later."""
        return (transport or self._transport).at(priority, may_wait=not self._running)

    # Discovery

    def _poll_at(self) -> datetime | None:
        if self._keeper.waiting >= _TOO_MANY:
            return None
        return self._finder.next_poll()

    def _check_at(self) -> datetime | None:
        return None if self._discovery is None else self._discovery.next_check()

    def _check(self) -> None:
        assert self._discovery is not None
        with self._at(Priority.FILL):
            self._discovery.check()

    def _subreddits_at(self) -> datetime | None:
        return self._about_at if self._settings.subreddits else None

    def _ask_about(self) -> None:
        """Asks once an hour for subscribers, and which subreddits are there at all."""
        shown: set[str] = set()
        with self._at(Priority.LOOKS):
            for part in api.about(self._reddit, self._settings.subreddits):
                self._report.requests += 1
                self._keeper.learn_subscribers(part)
                shown |= {
                    str(subreddit.get("display_name")).lower()
                    for subreddit in part
                    if subreddit.get("subreddit_type") != "private"
                }
            if self._discovery is not None:
                self._discovery.compare(shown)
        self._about_at = self._now() + _ABOUT_EVERY

    def _fill_at(self) -> datetime | None:
        waits = self._keeper.waiting >= _TOO_MANY
        return _AT_ONCE if self._gaps.open and not waits else None

    def _fill(self) -> None:
        before = len(self._gaps.open)
        with self._at(Priority.FILL):
            self._gaps.fill(self._reddit, self._keeper)
        if before and not self._gaps.open:
            self._tell("All gaps are filled.")

    # Looks

    def _look_at(self) -> datetime | None:
        if self._looks is None or self._looks.waiting >= _TOO_MANY:
            return None
        wait = timedelta(minutes=self._settings.look_wait_minutes)
        return self._looks.next_at(self._now(), wait)

    def _look(self) -> None:
        assert self._looks is not None
        with self._at(Priority.LOOKS, self._look_transport):
            self._looks.take()
        self._looks_since = self._looks_since or self._now()

    # Writing

    def _write_at(self) -> datetime | None:
        looks = 0 if self._looks is None else self._looks.waiting
        if max(looks, self._keeper.waiting) >= _MANY:
            return _AT_ONCE
        wait = timedelta(seconds=self._settings.commit_seconds)
        waiting = [since + wait for since in (self._keeper.since, self._looks_since) if since]
        return min([*waiting, self._saved_at + _HEARTBEAT])

    def _write(self) -> None:
        """Looks, then posts with their first looks, then gaps, then how far all was read."""
        if self._looks is not None:
            self._looks.flush()
            self._looks_since = None
        with self._transport.at(Priority.DISCOVERY):
            kept = self._keeper.flush()
        if self._looks is not None:
            self._looks.add(kept)
        self._gaps.save()
        self._saved_at = self._now()
        self._state.save(self._saved_at, self._refresh().as_dict())

    # Upkeep

    def _upkeep_at(self) -> datetime | None:
        return min(self._compact_at, self._drop_at, self._reload_at)

    def _upkeep(self) -> None:
        """Keeps tables fast over weeks of small commits, and the queue of looks true."""
        now = self._now()
        if now >= self._reload_at:
            if self._looks is not None:
                self._write()
                self._looks.reload(self._now())
            self._reload_at = now + _RELOAD_EVERY
        elif now >= self._compact_at:
            self._compact_at = now + _COMPACT_EVERY
            self._catalog.compact(_TABLES)
        else:
            self._drop_at = now + _DROP_EVERY
            keep = timedelta(days=self._settings.keep_versions_days)
            self._catalog.drop_versions(_TABLES, keep)

    # Saying how it does

    def _refresh(self) -> Status:
        status, report = self.status, self._report
        status.at = self._now()
        status.seen, status.kept = report.seen, report.new
        status.subreddits = dict(report.subreddits)
        status.refused = dict(report.refused)
        status.left_out = dict(report.unreachable)
        if self._looks is not None:
            looks = self._looks.report
            status.looks, status.looks_late = looks.looked, looks.late
            status.looks_due, status.gone = self._looks.due(status.at), looks.absent
            status.refused |= looks.refused
        transports = {id(t): t for t in (self._transport, self._look_transport)}.values()
        status.requests = sum(transport.sent.total() for transport in transports)
        status.faults = {}
        for transport in transports:
            for name, count in transport.faults.items():
                status.faults[name] = status.faults.get(name, 0) + count
        states = [state for transport in transports if (state := transport.state())]
        status.used = sum(state.used for state in states)
        status.limit = sum(state.limit for state in states) or None
        age = self._finder.newest_age
        status.newest_age = None if age is None else round(age.total_seconds(), 1)
        status.polled_at = self._finder.polled_at
        status.gap_ids = self._gaps.left
        status.skew = round(self._transport.skew, 1)
        status.failing = any(task.failures for task in self._tasks)
        return status

    def _fail(self, error: BaseException) -> None:
        """This error ends it."""
        self.status.state = "failed"
        if isinstance(error, Exception):
            self._note(error)

    def _note(self, error: Exception) -> None:
        self.status.last_error, self.status.last_error_at = _in_words(error), self._now()

    def _tell_of_skew(self) -> None:
        skew = self._transport.skew
        if abs(skew) < _SKEW_WORTH_SAYING or self._skew_told:
            return
        self._skew_told = True
        if api.source_of(self._reddit) == REDDIT.name:  # a sandbox has a time of its own
            self._tell(
                f"This machine's clock is {abs(skew):,.0f} s {'behind' if skew > 0 else 'ahead of'}"
                " Reddit's: looks are dated by Reddit's clock. Set this one right (NTP)."
            )


def _in_words(error: Exception) -> str:
    """An error's own sentence if it is one of ours; else its kind and place, never its content."""
    if isinstance(error, MmrlError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" in {Path(frame.filename).name}, line {frame.lineno}" for frame in last)
    return f"An error that was not foreseen: {type(error).__name__}{where}."
