"""`mmrl collect`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli import signals
from mmrl.cli.options import DEFAULT_HOME, From, Home, Json, lock, open_home
from mmrl.cli.signals import SandboxTime

if TYPE_CHECKING:
    from mmrl.catalog import Catalog
    from mmrl.collector.status import Status
    from mmrl.config import Settings
    from mmrl.sources.kinds import Kind
    from mmrl.sources.live import LiveSource
    from mmrl.sources.transport import Transport

RUNNING = (
    "A collector runs on this home already (process {process}): stop it first, or give this one "
    "another --home."
)


def collect(
    home: Home = DEFAULT_HOME,
    source: From = None,
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="End after this long, such as 55m or 2h."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="One sweep and the observations that are due, then end.")
    ] = False,
    observing: Annotated[
        bool,
        typer.Option("--looks/--no-looks", help="Leave later observations to `mmrl observe`."),
    ] = True,
    every: Annotated[
        str, typer.Option("--log-every", help="Time between two lines without a terminal.")
    ] = "5m",
    sandbox_clock: SandboxTime = None,
    as_json: Json = False,
) -> None:
    """Keeps every new post of the followed subreddits, and observes each as it ages.

    Runs until Ctrl-C or SIGTERM; what was found is kept then, and the next start goes on where it
    was. Reddit needs credentials in `praw.ini`; `mmrl doctor` says whether they are found.
    """
    from mmrl.cli.terminal.collector_lines import Watch
    from mmrl.collector.service import Service
    from mmrl.errors import InputError
    from mmrl.runtime.malloc import give_back_what_is_freed
    from mmrl.sources.connection import collector_settings, live_kind

    give_back_what_is_freed()
    span, log_every = signals.span(duration, "--for"), signals.span(every, "--log-every")
    if once and span is not None:
        raise InputError("--once and --for don't go together: give one of them.")
    catalog, settings = open_home(home)
    kind = live_kind(source, settings)
    live, transport, observer = _connect(kind, catalog, settings, observing, sandbox_clock)
    transports = [transport] if observer is None else [transport, observer[1]]
    watch = Watch(quiet=as_json or once, every=log_every or timedelta(minutes=5))
    with (
        alone(catalog.home, live.traits.mark, observing),
        signals.stopped_by_signals(transport.clock, transports),
        watch,
    ):
        service = Service(
            *(live, transport, catalog, collector_settings(kind, settings)),
            observer=observer,
            observing=observing,
            tell=watch.say,
        )
        if once:
            status = service.once()
        else:
            until = None if span is None else transport.now() + span
            status = service.run(until, watch.show, 1.0 if watch.live else 60.0)
    _show_end(status, live.traits.label, home, once, as_json)


@contextmanager
def alone(home: str, mark: str, observing: bool = True) -> Iterator[None]:
    """Holds the home's lock for collecting and, with `observing`, the one for observations.

    Args:
        mark: of the source; a home may have a collector for each.
    """
    from mmrl.cli.observe import OBSERVED_ELSEWHERE
    from mmrl.runtime.lock import only_one

    with ExitStack() as locks:
        locks.enter_context(only_one(home, lock(mark, "collect"), RUNNING))
        if observing:
            locks.enter_context(only_one(home, lock(mark, "looks"), OBSERVED_ELSEWHERE))
        yield


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


def _show_end(status: "Status", label: str, home: str, once: bool, as_json: bool) -> None:
    import json

    from mmrl.cli.terminal.collector_lines import line

    if as_json:
        typer.echo(json.dumps(status.as_dict()))
        return
    typer.echo(f"{line(status)}.")
    if once:
        for name, why in status.left_out.items():
            typer.echo(f"r/{name} is left out: {label} says {why}.", err=True)
        typer.echo(f"Next: mmrl run --home {home}")
