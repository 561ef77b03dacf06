"""`mmrl collect` and `mmrl observe`."""

from contextlib import nullcontext
from datetime import timedelta
from typing import Annotated

import typer

from mmrl.cli import signals as clocks
from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, moment, open_home
from mmrl.cli.signals import SandboxTime

_RUNNING = (
    "A collector runs on this home already (process {process}): stop it first, or give this one "
    "another --home."
)

_LOOKING = (
    "Nothing to do: the looks of this home are taken by another process ({process}), such as "
    "`mmrl collect`."
)


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

    from mmrl.cli.collector_lines import Watch, line
    from mmrl.collector.service import Service
    from mmrl.errors import InputError
    from mmrl.runtime.lock import only_one
    from mmrl.runtime.malloc import give_back_what_is_freed
    from mmrl.sources.reddit.connection import open_connection

    give_back_what_is_freed()
    span, log_every = clocks.span(duration, "--for"), clocks.span(every, "--log-every")
    if once and span is not None:
        raise InputError("--once and --for don't go together: give one of them.")
    catalog, settings = open_home(home)
    reddit, transport = open_connection(settings.reddit, catalog.home)
    clock = transport.clock = clocks.clock(sandbox_clock, reddit, transport.clock)
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
        clocks.stopped_by_signals(clock, transports),
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

    from mmrl.collector.observations import ObserveReport
    from mmrl.collector.once import observe as look
    from mmrl.runtime.lock import Taken, only_one
    from mmrl.sources.reddit.budget import Priority
    from mmrl.sources.reddit.connection import open_connection

    catalog, settings = open_home(home)
    site = settings.reddit.observe_site or settings.reddit.site
    reddit, transport = open_connection(settings.reddit, catalog.home, site)
    clock = transport.clock = clocks.clock(sandbox_clock, reddit, transport.clock)
    at = moment(as_of) if as_of is not None or sandbox_clock is None else transport.now()
    transport.priority = Priority.LOOKS
    try:
        with (
            only_one(catalog.home, "looks", _LOOKING),
            clocks.stopped_by_signals(clock, [transport]),
        ):
            report = look(reddit, catalog, settings, at, None if as_of else transport.now)
    except Taken as taken:
        report, message = ObserveReport(), str(taken)
    else:
        catalog.compact()
        message = (
            f"{report.due:,} looks due, {report.looked:,} taken, {report.absent:,} posts gone, "
            f"{report.requests} requests."
        )
    typer.echo(json.dumps({**vars(report), "message": message}) if as_json else message)
