"""`mmrl collect` and `mmrl observe`."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, moment, open_home

if TYPE_CHECKING:
    from mmrl.sources.clock import Clock
    from mmrl.sources.transport import Transport

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ABORT_AFTER = 3.0  # seconds that a request in flight may still take once told to stop
_RUNNING = (
    "A collector runs on this home already (process {process}): stop it first, or give this one "
    "another --home."
)

_LOOKING = (
    "Nothing to do: the looks of this home are taken by another process ({process}), such as "
    "`mmrl collect`."
)

SandboxTime = Annotated[str | None, typer.Option("--sandbox-clock", hidden=True)]


def collect(
    home: Home = DEFAULT_HOME,
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="End after this long, such as 55m or 2h."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="One sweep and the looks that are due, then end.")
    ] = False,
    looks: Annotated[
        bool, typer.Option("--looks/--no-looks", help="Leave later looks to `mmrl observe`.")
    ] = True,
    every: Annotated[
        str, typer.Option("--log-every", help="Time between two lines without a terminal.")
    ] = "5m",
    sandbox_clock: SandboxTime = None,
    as_json: Json = False,
) -> None:
    """Keeps every new post of the followed subreddits, and looks at each as it ages.

    Runs until Ctrl-C or SIGTERM; what was found is kept then, and the next start goes on where it
    was. Needs credentials in `praw.ini`; `mmrl doctor` says whether they are found.
    """
    import json

    from mmrl.cli.watching import Watch, line
    from mmrl.errors import InputError
    from mmrl.sources.connection import open_connection
    from mmrl.sources.lock import only_one
    from mmrl.sources.service import Service

    span, log_every = _span(duration, "--for"), _span(every, "--log-every")
    if once and span is not None:
        raise InputError("--once and --for don't go together: give one of them.")
    catalog, settings = open_home(home)
    reddit, transport = open_connection(settings.reddit, catalog.home)
    clock = transport.clock = _clock(sandbox_clock, reddit, transport.clock)
    observer = None
    if looks and settings.reddit.observe_site not in (None, settings.reddit.site):
        observer = open_connection(
            settings.reddit, catalog.home, settings.reddit.observe_site, clock
        )
    transports = [transport] if observer is None else [transport, observer[1]]
    watch = Watch(quiet=as_json or once, every=log_every or timedelta(minutes=5))
    looker = only_one(catalog.home, "looks", _LOOKING) if looks else nullcontext()
    with (
        only_one(catalog.home, "collect", _RUNNING),
        looker,
        _stopped(clock, transports),
        watch,
    ):
        service = Service(
            reddit,
            transport,
            catalog,
            settings.reddit,
            observer=observer,
            looks=looks,
            tell=watch.say,
        )
        if once:
            status = service.once()
        else:
            until = None if span is None else clock.now() + span
            status = service.run(until, watch.show, 1.0 if watch.live else 60.0)
    if as_json:
        typer.echo(json.dumps(status.as_dict()))
        return
    typer.echo(f"{line(status)}.")
    if once:
        for name, why in status.left_out.items():
            typer.echo(f"r/{name} is left out: Reddit says {why}.", err=True)
        typer.echo(f"Next: mmrl run --home {home}")


def observe(
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    sandbox_clock: SandboxTime = None,
    as_json: Json = False,
) -> None:
    """Takes the looks that are due: at each checkpoint age of every collected post.

    `mmrl collect` takes them too, unless it was started with --no-looks.
    """
    import json

    from mmrl.sources.budget import Priority
    from mmrl.sources.connection import open_connection
    from mmrl.sources.lock import Taken, only_one
    from mmrl.stages.observe import observe as look

    catalog, settings = open_home(home)
    site = settings.reddit.observe_site or settings.reddit.site
    reddit, transport = open_connection(settings.reddit, catalog.home, site)
    clock = transport.clock = _clock(sandbox_clock, reddit, transport.clock)
    at = moment(as_of) if as_of is not None or sandbox_clock is None else transport.now()
    transport.priority = Priority.LOOKS
    try:
        with only_one(catalog.home, "looks", _LOOKING), _stopped(clock, [transport]):
            report = look(reddit, catalog, settings, at, None if as_of else transport.now)
    except Taken as taken:
        typer.echo(str(taken))
        return
    catalog.compact()
    if as_json:
        typer.echo(json.dumps(vars(report)))
    else:
        typer.echo(
            f"{report.due:,} looks due, {report.looked:,} taken, {report.absent:,} posts gone, "
            f"{report.requests} requests."
        )


def _span(text: str | None, option: str) -> timedelta | None:
    """A time such as 55m, 2h or 1h30m.

    Raises:
        InputError: it is none.
    """
    from mmrl.errors import InputError

    if text is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not 0 < seconds < 1e9:
        raise InputError(f"{option} is {text!r}, expected a time such as 55m, 2h or 1h30m.")
    return timedelta(seconds=seconds)


def _clock(wanted: str | None, reddit: Any, otherwise: "Clock") -> "Clock":
    """The machine's clock; a sandbox's where that was asked for, with an error in seconds."""
    from mmrl.errors import InputError
    from mmrl.sandbox.clock import SandboxClock
    from mmrl.sources.reddit import source_of

    if wanted is None:
        return otherwise
    if source_of(reddit) != "sandbox":
        raise InputError("--sandbox-clock goes with a sandbox, which this is not.")
    mode, _, ahead = wanted.partition(":")
    return SandboxClock(reddit.config.reddit_url, mode, float(ahead or 0))


@contextmanager
def _stopped(clock: "Clock", transports: "list[Transport]") -> Iterator[None]:
    """The first SIGTERM or Ctrl-C within the block stops the clock, a second one ends at once."""
    from mmrl.sources.clock import Halt

    def stop(number: int, frame: object) -> None:
        if clock.stopping:
            os._exit(128 + number)
        clock.stop()
        signal.setitimer(signal.ITIMER_REAL, _ABORT_AFTER, _ABORT_AFTER)

    def abort(number: int, frame: object) -> None:
        if any(transport.asking for transport in transports):
            raise Halt

    ours = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGALRM: abort}
    before = {number: signal.signal(number, handler) for number, handler in ours.items()}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
