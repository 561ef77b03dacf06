"""The collector: a service that finds posts, observes them, fills gaps and writes, without an end.

One task runs at a time, the most urgent first: discovery, writing, observations, daily checks,
gaps, upkeep. A task that fails waits, a little longer each time, while the others go on. Only
wrong credentials end the service.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta

from mmrl.catalog import Catalog
from mmrl.collector.comments import CommentStream
from mmrl.collector.cursors import Cursors
from mmrl.collector.gaps import Gaps
from mmrl.collector.listings import Discovery
from mmrl.collector.observations import Observations
from mmrl.collector.rules import keep_rules
from mmrl.collector.status import Status
from mmrl.collector.tasks import Life, Task, Upkeep
from mmrl.collector.writer import Keeper, SweepReport
from mmrl.config import RedditSettings
from mmrl.errors import MmrlError
from mmrl.runtime.clock import Halt
from mmrl.sources.budget import Priority
from mmrl.sources.kinds import SIMULATED_NAMES
from mmrl.sources.live import LiveSource
from mmrl.sources.reddit.source import RedditSource
from mmrl.sources.transport import Transport

_MANY = 300  # posts or observations that are written without waiting for more
_TOO_MANY = 3_000  # that wait because they can't be written: nothing more is asked for
_AT_ONCE = datetime(2005, 6, 1, tzinfo=UTC)  # any time that is over
_HEARTBEAT = timedelta(minutes=1)
_ABOUT_EVERY = timedelta(hours=1)
_RULES_EVERY = timedelta(days=1)
_PATIENCE = 20.0  # seconds that a request is tried again for before others are let go first
_FILLS_ONCE = 30  # requests for gaps in a single sweep
_LAST_WORDS = 3.0  # seconds for the source to tell of authors when the service ends
_SKEW_WORTH_SAYING = 30.0  # seconds


class Service:
    """Collects into a catalog until it is stopped.

    Args:
        source, transport: the connection for discovery, gaps and, unless `observer` is given, the
            observations.
        observer: a source and its transport for the observations alone, of another client.
        observing: make the observations that are due; False leaves them to `mmrl observe`.
        tell: is given a sentence for whoever watches.
        heartbeat: the longest time between two writes of its account of itself.
    """

    def __init__(
        self,
        source: LiveSource,
        transport: Transport,
        catalog: Catalog,
        settings: RedditSettings,
        *,
        observer: tuple[LiveSource, Transport] | None = None,
        observing: bool = True,
        tell: Callable[[str], None] = lambda sentence: None,
        heartbeat: timedelta = _HEARTBEAT,
    ) -> None:
        self._source, self._transport = source, transport
        self._observer, self._observer_transport = observer or (source, transport)
        self._catalog, self._settings, self._tell = catalog, settings, tell
        self._now, self._clock, self._heartbeat = transport.now, transport.clock, heartbeat
        now = self._now()
        self.status = Status(started_at=now)
        self._report = SweepReport()
        self._cursors = Cursors(catalog, source.traits.mark)
        self._gaps = Gaps(catalog, source.traits)
        self._keeper = Keeper(
            source, catalog, self._now, self._report, settings.subreddits, new_times=True
        )
        self._finder = self._make_finder()
        self._discovery = self._finder if isinstance(self._finder, Discovery) else None
        self._observations: Observations | None = None
        if observing:
            self._observations = Observations(
                self._observer, catalog, settings.checkpoints_hours, self._now, new_times=True
            )
        self._observed_since: datetime | None = None  # when the first one that waits was made
        self._skew_told = False
        self._running = False  # without an end: what must wait lets others go first
        keep = timedelta(days=settings.keep_versions_days)
        asked = self._cursors.rules_asked_at()
        self._rules_due = _AT_ONCE if asked is None else asked + _RULES_EVERY
        self._upkeep = Upkeep(catalog, keep, self._reload, now)
        self._tasks = [
            Task("discovery", self._poll_at, self._finder.poll),
            Task("writing", self._write_at, self._write),
            Task("observations", self._observe_at, self._observe),
            Task("subreddits", self._subreddits_at, self._ask_about),
            Task("checks", self._check_at, self._check),
            Task("rules", self._rules_at, self._ask_rules),
            Task("gaps", self._fill_at, self._fill),
            Task("upkeep", self._upkeep.next_at, lambda: self._upkeep.work(self._now())),
        ]
        self._begin(now)

    def _make_finder(self) -> Discovery | CommentStream:
        """Whatever finds posts, as the settings say."""
        settings = self._settings
        if settings.discovery == "new" or not isinstance(self._source, RedditSource):
            return Discovery(
                self._source,
                self._cursors,
                self._keeper,
                self._gaps,
                settings.subreddits,
                self._now,
                settings.poll_seconds,
                self._tell,
            )
        return CommentStream(
            self._source, self._keeper, settings.subreddits, self._now, settings.poll_seconds[0]
        )

    def _begin(self, now: datetime) -> None:
        """Makes everything due that is done now and then, by a clock that is right now."""
        self._began_with_skew = self._transport.skew
        self._finder.restart(now)
        self._keeper.since = self._observed_since = None
        self._saved_at = self._about_at = now
        self._upkeep.restart(now)
        for task in self._tasks:
            task.not_before = None

    @property
    def _transports(self) -> list[Transport]:
        """Of each client once."""
        both = (self._transport, self._observer_transport)
        return list({id(transport): transport for transport in both}.values())

    # Running

    def run(
        self,
        until: datetime | None = None,
        watch: Callable[[Status], None] = lambda status: None,
        tick: float = 60.0,
        restarts: bool = False,
    ) -> Status:
        """Works until the clock is stopped, or until a time; keeps what it found, and returns.

        Args:
            until: by this machine's clock.
            watch: is called with the status after each piece of work and wait.
            tick: the longest wait, in seconds.
            restarts: return in a quiet moment, with the state "restarting", where the process holds
                more memory than the settings let it.

        Raises:
            ConfigError: the source refuses the credentials; what was found before is kept.
        """
        for transport in self._transports:
            transport.patience = _PATIENCE
        self._running, self._tick = True, tick
        life, over = Life(self._settings.restart_at_mb if restarts else 0, self._clock.now()), ""
        try:
            with self._ending():
                while not self._clock.stopping and (until is None or self._clock.now() < until):
                    quiet = self._step(until)
                    watch(self._refresh())
                    if quiet and (over := life.over(self._clock.now())):
                        self._tell(over)
                        break
        finally:
            watch(self._refresh())
        if over:
            self.status.state = "restarting"
        return self.status

    def once(self) -> Status:
        """One sweep over all groups, some filling of gaps, and every observation that is due.

        Raises:
            SourceError, ConfigError: no answer; wrong credentials. What was found is kept.
        """
        with self._ending():
            self._ask_about()  # first, as the answer tells the time
            began = self._now()
            self._begin(began)
            if self._observations is not None:
                self._observations.reload(began)
            while (due := self._finder.next_poll()) is not None and due <= began:
                self._finder.poll()
            if isinstance(self._finder, CommentStream):
                self._finder.ask()
            while (due := self._check_at()) is not None and due <= began:
                self._check()
            if (due := self._rules_at()) is not None and due <= began:
                self._ask_rules()
            for _ in range(_FILLS_ONCE):
                self._fill()
            self._write()
            while self._observations is not None and self._observations.due(self._now()):
                self._observe()
                if self._observations.waiting >= _MANY:
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
            self.status.state = "failed"
            if isinstance(error, Exception):
                self.status.note(error, self._now())
            raise
        finally:
            self._finish()

    def _step(self, until: datetime | None) -> bool:
        """Does the most urgent thing that is due, or waits for the next one.

        Returns:
            whether it waited.
        """
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
            return True
        error = task.run(self._now, self._tell)
        if error is None:
            self._tell_of_skew()
        else:
            self.status.note(error, self._now())
        return False

    def _finish(self) -> None:
        """Writes what waits; the source is asked for authors' facts for a few seconds at most."""
        for transport in self._transports:
            transport.finishing, transport.patience = True, _LAST_WORDS
        try:
            if self._observations is not None:
                self._observations.flush()
            self._keeper.flush(final=True)
            self._gaps.save()
            self._cursors.save(self._now(), self._refresh().as_dict())
        except MmrlError as error:
            # What was not written is found again: its frontier was not saved either.
            self.status.note(error, self._now())
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
        asks = self._settings.subreddits and self._source.traits.tells_closed
        return self._about_at if asks else None

    def _ask_about(self) -> None:
        """Asks once an hour for subscribers, and which subreddits are there at all."""
        shown: set[str] = set()
        with self._at(Priority.OBSERVATIONS):
            for part in self._source.about(self._settings.subreddits):
                self._report.requests += 1
                self._keeper.learn_subscribers(part)
                shown |= {
                    str(subreddit.get("display_name")).lower()
                    for subreddit in part
                    if subreddit.get("subreddit_type") != "private"
                }
            if self._discovery is not None and self._source.traits.tells_closed:
                self._discovery.compare(shown)
        self._about_at = self._now() + _ABOUT_EVERY

    def _rules_at(self) -> datetime | None:
        return self._rules_due if self._source.traits.tells_rules else None

    def _ask_rules(self) -> None:
        """Asks once a day for the rules of the followed subreddits."""
        with self._at(Priority.FILL):
            keep_rules(self._source, self._catalog, self._settings.subreddits, self._now())
        self._cursors.note_rules(self._now())
        self._rules_due = self._now() + _RULES_EVERY

    def _fill_at(self) -> datetime | None:
        waits = self._keeper.waiting >= _TOO_MANY
        return _AT_ONCE if self._gaps.open and not waits else None

    def _fill(self) -> None:
        before = len(self._gaps.open)
        with self._at(Priority.FILL):
            self._gaps.fill(self._source, self._keeper)
        if before and not self._gaps.open:
            self._tell("All gaps are filled.")

    # Observations

    def _observe_at(self) -> datetime | None:
        if self._observations is None or self._observations.waiting >= _TOO_MANY:
            return None
        wait = timedelta(minutes=self._settings.look_wait_minutes)
        return self._observations.next_at(self._now(), wait)

    def _observe(self) -> None:
        assert self._observations is not None
        with self._at(Priority.OBSERVATIONS, self._observer_transport):
            self._observations.take()
        self._observed_since = self._observed_since or self._now()

    # Writing

    def _write_at(self) -> datetime | None:
        observed = 0 if self._observations is None else self._observations.waiting
        if max(observed, self._keeper.waiting) >= _MANY:
            return _AT_ONCE
        wait = timedelta(seconds=self._settings.commit_seconds)
        waiting = [since + wait for since in (self._keeper.since, self._observed_since) if since]
        return min([*waiting, self._saved_at + self._heartbeat])

    def _write(self) -> None:
        """Observations, then posts with their first one, then gaps, then how far all was read."""
        if self._observations is not None:
            self._observations.flush()
            self._observed_since = None
        with self._transport.at(Priority.DISCOVERY):
            kept = self._keeper.flush()
        if self._observations is not None:
            self._observations.add(kept)
        self._gaps.save()
        self._saved_at = self._now()
        self._cursors.save(self._saved_at, self._refresh().as_dict())

    def _reload(self) -> None:
        if self._observations is not None:
            self._write()
            self._observations.reload(self._now())

    # Saying how it does

    def _refresh(self) -> Status:
        status = self.status
        status.at = self._now()
        status.count_posts(self._report)
        if self._observations is not None:
            status.count_observations(self._observations, status.at)
        status.count_requests(self._transports)
        age = self._finder.newest_age
        status.newest_age = None if age is None else round(age.total_seconds(), 1)
        status.polled_at = self._finder.polled_at
        status.gap_ids = self._gaps.left
        status.gaps_unlisted = len(self._gaps.unlisted)
        status.gaps_timed = self._source.traits.timed
        status.skew = round(self._transport.skew, 1)
        status.failing = any(task.failures for task in self._tasks)
        return status

    def _tell_of_skew(self) -> None:
        skew = self._transport.skew
        if abs(skew) < _SKEW_WORTH_SAYING or self._skew_told:
            return
        self._skew_told = True
        if self._source.name not in SIMULATED_NAMES:  # a sandbox has a time of its own
            self._tell(
                f"This machine's clock is {abs(skew):,.0f} s {'behind' if skew > 0 else 'ahead of'}"
                f" {self._source.traits.label}'s: observations are dated by that. Set this one "
                "right (NTP)."
            )
