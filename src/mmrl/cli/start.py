"""`mmrl start`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, Home, Json, suggested
from mmrl.cli.spans import SandboxTime

if TYPE_CHECKING:
    from mmrl.start import StartReport


def start(
    subreddits: Annotated[
        list[str], typer.Argument(metavar="SUBREDDIT...", help="Communities, without r/.")
    ],
    days: Annotated[int, typer.Option("--days", min=7, help="How much of the past to bring.")] = 90,
    home: Home = DEFAULT_HOME,
    sandbox_clock: SandboxTime = None,
    as_json: Json = False,
) -> None:
    """From nothing to a model of your communities, on their real posts; needs no credentials.

    Makes a home, brings the posts of the last days with their settled scores from Arctic Shift,
    fetches the images, runs every stage, and trains. Interrupted, it goes on where it was.
    """
    import json

    from mmrl.catalog import Catalog
    from mmrl.errors import InputError
    from mmrl.home import signals
    from mmrl.home.collecting import alone
    from mmrl.runtime.bars import Bars
    from mmrl.runtime.clock import Halt
    from mmrl.runtime.quiet import quiet_libraries
    from mmrl.sources.connection import connect_live
    from mmrl.sources.kinds import ARCTIC_SHIFT
    from mmrl.start import make_home
    from mmrl.start import start as begin
    from mmrl.storage.location import Location

    quiet_libraries()
    if not Location.of(home).is_local:
        raise InputError(f"{home} is no folder: `mmrl start` makes a home on this machine.")
    names = list(dict.fromkeys(name.removeprefix("r/") for name in subreddits))
    settings = make_home(Path(home), names)
    catalog = Catalog.open(home)
    source, transport = connect_live(ARCTIC_SHIFT, settings, catalog.home)
    clock = transport.clock = signals.clock(sandbox_clock, source, transport.clock)
    try:
        with (
            alone(catalog.home, source.traits.mark),
            signals.stopped_by_signals(clock, [transport]),
            Bars(quiet=as_json) as bars,
        ):
            report = begin(
                *(source, transport, catalog, settings, days, bars),
                lambda estimate: typer.echo(estimate.sentence(), err=True),
            )
    except Halt:
        typer.echo("Stopped: the same command goes on from here.")
        return
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        _summary(report, home, names)


def _summary(report: "StartReport", home: str, names: list[str]) -> None:
    """How the model does, on how many posts, and what to do next."""
    trained, published = report.run.trained, report.run.published
    minutes = report.seconds / 60
    typer.echo(
        f"{report.catalog.count('posts'):,} posts, {report.backfill.new:,} of them new, in "
        f"{report.backfill.requests:,} requests and {minutes:,.1f} minutes; then, by stage:"
    )
    for stage in report.run.stages:
        if stage.pending:
            typer.echo(f"  {stage.name:<14} {stage.done:>7,} in {stage.seconds / 60:,.1f} minutes")
    if trained is not None:
        typer.echo(trained.message)
    if published is not None and published.report is not None:
        typer.echo(f"Report: {published.report}")
    draft = ("predict", "IMAGE", "--title", "...", "--subreddit", names[0])
    typer.echo(
        f"Next: {suggested('serve', '--home', home)}   (which picture, which title, where, when)\n"
        f"      {suggested(*draft, '--home', home)}\n"
        f"      {suggested('collect', '--home', home)}   (keeps it up to date)"
    )
