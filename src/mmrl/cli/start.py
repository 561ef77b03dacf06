"""`mmrl start`."""

from typing import TYPE_CHECKING, Annotated

import typer

import mmrl
from mmrl.cli import INTERRUPTED
from mmrl.cli.options import DEFAULT_HOME, Home, Json, from_here, suggested
from mmrl.cli.spans import SandboxTime

if TYPE_CHECKING:
    from mmrl.home.starting import StartReport


def start(
    subreddits: Annotated[
        list[str], typer.Argument(metavar="SUBREDDIT...", help="Communities, without r/.")
    ],
    days: Annotated[int, typer.Option("--days", min=7, help="How much of the past to bring.")] = 90,
    contact: Annotated[
        str | None,
        typer.Option(
            "--contact",
            metavar="ADDRESS",
            help="How Arctic Shift's maintainer reaches you: an e-mail address or a page. Goes "
            "into the home's settings and the user agent.",
        ),
    ] = None,
    home: Home = DEFAULT_HOME,
    sandbox_clock: SandboxTime = None,
    as_json: Json = False,
) -> None:
    """From nothing to a model of your communities, on their real posts; needs no credentials.

    Makes a home, brings the posts of the last days with their settled scores from Arctic Shift,
    fetches the images, runs every stage, and trains. Interrupted, it goes on where it was.
    """
    import json

    try:
        report = mmrl.start(
            *(home, subreddits),
            days=days,
            contact=contact,
            quiet=as_json,
            sandbox_clock=sandbox_clock,
        )
    except KeyboardInterrupt:
        typer.echo("Stopped: the same command goes on from here.")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        _summary(report, home, subreddits[0].removeprefix("r/"))


def _summary(report: "StartReport", home: str, subreddit: str) -> None:
    """How the model does, on how many posts, and what to do next."""
    trained, published = report.run.trained, report.run.published
    brought = report.brought
    typer.echo(
        f"{report.home.catalog.count('posts'):,} posts, {brought.counts.new:,} of them new, in "
        f"{brought.counts.requests:,} requests and {brought.seconds / 60:,.1f} minutes; then, by "
        "stage:"
    )
    for stage in report.run.stages:
        if stage.pending:
            typer.echo(f"  {stage.name:<14} {stage.done:>7,} in {stage.seconds / 60:,.1f} minutes")
    if trained is not None:
        typer.echo(trained.message)
    if published is not None and published.report is not None:
        typer.echo(f"Report: {from_here(published.report)}")
    draft = ("predict", "IMAGE", "--title", "...", "--subreddit", subreddit)
    typer.echo(
        f"Next: {suggested('serve', '--home', home)}   (which picture, which title, where, when)\n"
        f"      {suggested(*draft, '--home', home)}\n"
        f"      {suggested('collect', '--home', home)}   (keeps it up to date)"
    )
