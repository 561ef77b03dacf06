"""`mmrl backfill`."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, Home, Json, open_home, suggested
from mmrl.cli.spans import SandboxTime
from mmrl.home import signals

if TYPE_CHECKING:
    from mmrl.collector.backfill import Backfill
    from mmrl.runtime.bars import Bars

After = Annotated[
    str | None,
    typer.Option("--after", metavar="TIME", help="Only posts created since then."),
]
Days = Annotated[int, typer.Option("--days", min=1, help="Or: posts of so many days.")]


def backfill(
    subreddits: Annotated[
        list[str] | None,
        typer.Option("--subreddit", help="Of this one; repeatable. The followed ones by default."),
    ] = None,
    after: After = None,
    before: Annotated[
        str | None,
        typer.Option("--before", metavar="TIME", help="Only posts created before; until now."),
    ] = None,
    days: Days = 30,
    home: Home = DEFAULT_HOME,
    sandbox_clock: SandboxTime = None,
    as_json: Json = False,
) -> None:
    """Brings posts of the past from Arctic Shift, with their settled scores; needs no credentials.

    Says beforehand about how many requests and bytes it will take. Interrupted, it goes on where it
    was when it is started again; what it has once asked for, it does not ask for again.
    """
    import json

    from mmrl.collector.backfill import Backfill
    from mmrl.home.collecting import alone
    from mmrl.runtime.bars import Bars
    from mmrl.sources.connection import connect_live
    from mmrl.sources.kinds import ARCTIC_SHIFT
    from mmrl.times import parse_time

    opened = open_home(home)
    catalog, settings = opened.catalog, opened.settings
    source, transport = connect_live(ARCTIC_SHIFT, settings, catalog.home)
    clock = transport.clock = signals.clock(sandbox_clock, source, transport.clock)
    until = transport.now() if before is None else parse_time(before)
    since = until - timedelta(days=days) if after is None else parse_time(after)
    names = [name.removeprefix("r/") for name in subreddits or settings.reddit.subreddits]
    with (
        alone(catalog.home, source.traits.mark, observing=False),
        signals.stopped_by_signals(clock, [transport]),
        Bars(quiet=as_json) as bars,
    ):
        work = Backfill(source, transport, catalog, names, since, until)
        ended = bring(work, bars, as_json, lambda: clock.stopping)
    report = work.report
    if as_json:
        counts = {"seen": report.seen, "new": report.new, "requests": report.requests}
        typer.echo(json.dumps({**counts, "subreddits": dict(report.subreddits), "ended": ended}))
        return
    if not ended:
        typer.echo("Stopped: the same command goes on from here.")
        return
    for name in work.empty:
        typer.echo(f"r/{name}: no post of that time is archived; check its name.", err=True)
    following = suggested("run", "--home", home)
    typer.echo(f"{report.seen:,} posts, {report.new:,} of them new. Next: {following}")


def bring(work: "Backfill", bars: "Bars", quiet: bool, stop: Callable[[], bool]) -> bool:
    """Says what a backfill will take, and does it; false where it was stopped before its end."""
    from mmrl.runtime.clock import Halt

    try:
        estimate = work.sample()
        if not quiet:
            typer.echo(estimate.sentence(), err=True)
        work.run(bars, stop)
    except Halt:
        return False
    return work.left == 0
