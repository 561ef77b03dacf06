"""`mmrl demo`."""

from pathlib import Path
from typing import Annotated

import typer

from mmrl.cli.options import Json, Posts, Seed, from_here, suggested


def demo(
    home: Annotated[
        Path, typer.Option("--home", help="Where to keep it; made if not there.")
    ] = Path("demo"),
    posts: Posts = 2_000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Runs everything on simulated posts: no credentials, no GPU, no network.

    Starts a local simulated Reddit, collects its posts through Reddit's API, lets ten weeks pass
    on its clock, runs every stage, trains, and shows how the model did against its baselines and
    against the noise ceiling, which nothing can beat.
    """
    import json

    from rich.console import Console

    from mmrl.cli.terminal.tables import metrics_table
    from mmrl.home.demo import run_demo

    report = run_demo(home, posts, seed)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
        return
    trained = report.run.trained
    if trained is not None and trained.evaluation is not None:
        Console().print(metrics_table(trained.evaluation, title="On simulated posts"))
    if trained is not None:
        typer.echo(trained.message)
    published = report.run.published
    if published is not None and published.report is not None:
        typer.echo(f"\nReport: {from_here(published.report)}")
    place = ("--home", home, "--as-of", f"{report.as_of:%Y-%m-%dT%H:%M}")
    draft = ("predict", *report.pictures, "--title", "...", "--subreddit", "SimPics")
    typer.echo(
        f"Next: {suggested('status', '--home', home)}\n"
        f"      {suggested(*draft, *place)}\n"
        f"      {suggested('serve', *place)}   (the page: which picture, which title, where, when)"
    )
