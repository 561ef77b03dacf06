"""`mmrl run`."""

from typing import Annotated

import typer

from mmrl.cli.options import (
    DEFAULT_HOME,
    AsOf,
    Home,
    Json,
    from_here,
    open_home,
    say_if_later,
    suggested,
)
from mmrl.stages import STAGES, groups


def run_help() -> str:
    """The help of `mmrl run`, with the stages as the graph has them."""
    listed = "\n".join(f"- `{stage.name}` {stage.does}" for stage in STAGES)
    together = ", ".join(f"`{group}` stands for {' '.join(s)}" for group, s in groups().items())
    return f"""Runs the pipeline, or some of its stages, on what is new.

The stages, in order ({together}):

{listed}

A run that is killed loses at most the batch in flight; the next run goes on from there.
"""


def run(
    stages: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STAGE]...", help="Stages to run; all of them unless given."),
    ] = None,
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Look at all posts, not only at what is new, and say what was missed."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    import json

    from mmrl.home.moments import moment

    at = moment(as_of)
    report = open_home(home).run(*stages or (), as_of=at, check=check)
    if check and not as_json:
        missed = {stage.name: stage.missed for stage in report.stages if stage.missed}
        listed = ", ".join(f"{name} {count:,}" for name, count in missed.items())
        typer.echo(f"Checked all posts: runs before had missed {listed or 'nothing'}.")
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    elif not report.did_anything:
        if report.trained is not None and report.trained.too_few:
            typer.echo(report.trained.message)
        typer.echo("Nothing new: every stage is up to date.")
        say_if_later(report.later, at)
    else:
        if report.trained is not None:
            typer.echo(report.trained.message)
        if report.published is not None and report.published.report is not None:
            typer.echo(f"Report: {from_here(report.published.report)}")
        say_if_later(report.later, at)
        typer.echo(f"Next: {suggested('status', '--home', home)}")
