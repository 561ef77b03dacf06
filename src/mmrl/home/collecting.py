"""Collecting into a home: the source that it follows, one process at a time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mmrl.home import signals
from mmrl.home.moments import Moment, moment
from mmrl.runtime.counted import counted

if TYPE_CHECKING:
    from mmrl.catalog import Catalog
    from mmrl.collector.observations import ObserveReport
    from mmrl.collector.status import Status
    from mmrl.config import Settings
    from mmrl.sources.kinds import Kind
    from mmrl.sources.live import LiveSource
    from mmrl.sources.transport import Transport

RUNNING = (
    "A collector runs on this home already (process {process}): stop it first, or give this one "
    "another --home."
)
OBSERVED_ELSEWHERE = (
    "Nothing to do: the observations of this home are taken by another process ({process}), such "
    "as `mmrl collect`."
)


@dataclass(frozen=True)
class Watcher:
    """Whoever is shown how a collector does.

    Attributes:
        say: is given a sentence on what happened.
        show: is given the status after each piece of work and wait.
        tick: the longest wait between two of these, in seconds.
    """

    say: Callable[[str], None]
    show: "Callable[[Status], None]"
    tick: float = 60.0


def lock(mark: str, name: str) -> str:
    """The name of a lock of a live source's own; Reddit's has no mark."""
    return mark.replace("/", "-") + name


@contextmanager
def alone(home: str, mark: str, observing: bool = True) -> Iterator[None]:
    """Holds the home's lock for collecting and, with `observing`, the one for observations.

    Args:
        mark: of the source; a home may have a collector for each.
    """
    from mmrl.storage.lock import only_one

    with ExitStack() as locks:
        locks.enter_context(only_one(home, lock(mark, "collect"), RUNNING))
        if observing:
            locks.enter_context(only_one(home, lock(mark, "looks"), OBSERVED_ELSEWHERE))
        yield


def collect(
    catalog: "Catalog",
    settings: "Settings",
    source: str | None,
    watcher: Watcher,
    *,
    span: timedelta | None = None,
    once: bool = False,
    observing: bool = True,
    sandbox_clock: str | None = None,
    restarts: bool = False,
) -> "Status":
    """Keeps every new post of the followed subreddits, and observes each as it ages.

    Args:
        source: the name of a live source; the setting's for None.
        span: how long; until Ctrl-C or SIGTERM for None.
        once: one sweep and the observations that are due, then the end.
        observing: take observations, too.
        sandbox_clock: the time of a sandbox, for tests.
        restarts: return with the state "restarting" where the process holds more memory than
            the settings let it, to be started anew; by default, whatever it holds, it goes on.

    Raises:
        ConfigError: credentials or settings are missing or wrong.
        SourceError: with `once`, no answer; what was found is kept.
    """
    from mmrl.collector.service import Service
    from mmrl.runtime.malloc import give_back_what_is_freed
    from mmrl.sources.connection import collector_settings, live_kind

    kind = live_kind(source, settings)
    give_back_what_is_freed()
    live, transport, observer = _connect(kind, catalog, settings, observing, sandbox_clock)
    transports = [transport] if observer is None else [transport, observer[1]]
    with (
        alone(catalog.home, live.traits.mark, observing),
        signals.stopped_by_signals(transport.clock, transports),
    ):
        service = Service(
            *(live, transport, catalog, collector_settings(kind, settings)),
            observer=observer,
            observing=observing,
            tell=watcher.say,
        )
        if once:
            status = service.once()
            for name, why in status.left_out.items():
                watcher.say(f"r/{name} is left out: {live.traits.label} says {why}.")
            return status
        until = None if span is None else transport.now() + span
        return service.run(until, watcher.show, watcher.tick, restarts)


def _connect(
    kind: "Kind",
    catalog: "Catalog",
    settings: "Settings",
    observing: bool,
    sandbox_clock: str | None,
) -> "tuple[LiveSource, Transport, tuple[LiveSource, Transport] | None]":
    """The source that finds posts, and a second one for observations where one is set."""
    from mmrl.sources.connection import connect_live
    from mmrl.sources.kinds import REDDIT

    source, transport = connect_live(kind, settings, catalog.home)
    transport.clock = signals.clock(sandbox_clock, source, transport.clock)
    another = settings.reddit.observe_site not in (None, settings.reddit.site)
    if not (observing and another and kind is REDDIT):
        return source, transport, None
    observer = connect_live(kind, settings, catalog.home, observing=True, clock=transport.clock)
    return source, transport, observer


def observed(
    catalog: "Catalog",
    settings: "Settings",
    source: str | None,
    as_of: Moment,
    sandbox_clock: str | None = None,
) -> "tuple[ObserveReport, str]":
    """Takes the observations that are due, unless another process does; and a sentence on it."""
    from mmrl.collector.observations import ObserveReport
    from mmrl.storage.lock import Taken

    try:
        report = observe(catalog, settings, source, as_of, sandbox_clock)
    except Taken as taken:
        return ObserveReport(), str(taken)
    return report, (
        f"{counted(report.due, 'observation')} due, {report.written:,} taken, "
        f"{counted(report.absent, 'post')} gone, {counted(report.requests, 'request')}."
    )


def observe(
    catalog: "Catalog",
    settings: "Settings",
    source: str | None,
    as_of: Moment,
    sandbox_clock: str | None = None,
) -> "ObserveReport":
    """Takes the observations that are due.

    Args:
        as_of: every observation is dated so; the time of each answer for None.

    Raises:
        Taken: another process takes them.
        ConfigError, SourceError: credentials are missing or wrong; no answer.
    """
    from mmrl.collector.once import observe as take_observations
    from mmrl.sources.budget import Priority
    from mmrl.sources.connection import connect_live, live_kind
    from mmrl.storage.lock import only_one

    kind = live_kind(source, settings)
    live, transport = connect_live(kind, settings, catalog.home, observing=True)
    clock = transport.clock = signals.clock(sandbox_clock, live, transport.clock)
    at = moment(as_of) if as_of is not None or sandbox_clock is None else transport.now()
    transport.priority = Priority.OBSERVATIONS
    with (
        only_one(catalog.home, lock(live.traits.mark, "looks"), OBSERVED_ELSEWHERE),
        signals.stopped_by_signals(clock, [transport]),
    ):
        now = None if as_of is not None else transport.now
        report = take_observations(live, catalog, settings, at, now)
    catalog.compact()
    return report
