"""`mmrl collect`."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, From, Home, Json, open_home, suggested
from mmrl.cli.restart import StartAnew
from mmrl.cli.spans import SandboxTime, span

if TYPE_CHECKING:
    from mmrl.collector.status import Status


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
    from mmrl.errors import InputError
    from mmrl.home import collecting

    until, log_every = span(duration, "--for"), span(every, "--log-every")
    if once and until is not None:
        raise InputError("--once and --for don't go together: give one of them.")
    opened = open_home(home)
    with Watch(quiet=as_json or once, every=log_every or timedelta(minutes=5)) as watch:
        status = collecting.collect(
            *(opened.catalog, opened.settings, source),
            collecting.Watcher(watch.say, watch.show, 1.0 if watch.live else 60.0),
            span=until,
            once=once,
            observing=observing,
            sandbox_clock=sandbox_clock,
            restarts=StartAnew.possible,
        )
    if status.state == "restarting":
        raise StartAnew(*([] if until is None else ["--for", _left(until, status)]))
    _show_end(status, home, once, as_json)


def _left(span: timedelta, status: "Status") -> str:
    """What is left of `--for`, as it takes it."""
    passed = timedelta(0)
    if status.at is not None and status.started_at is not None:
        passed = status.at - status.started_at
    return f"{max((span - passed).total_seconds(), 1):.0f}s"


def _show_end(status: "Status", home: str, once: bool, as_json: bool) -> None:
    import json

    from mmrl.cli.terminal.collector_lines import line

    if as_json:
        typer.echo(json.dumps(status.as_dict()))
        return
    typer.echo(f"{line(status)}.")
    if once:
        typer.echo(f"Next: {suggested('run', '--home', home)}")
