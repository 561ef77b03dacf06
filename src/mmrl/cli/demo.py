"""`mmrl demo` and `mmrl sandbox`."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import Json, moment

if TYPE_CHECKING:
    from mmrl.sandbox import World

Posts = Annotated[int, typer.Option("--posts", min=50, help="How many posts to make up.")]
Seed = Annotated[int, typer.Option("--seed", help="Another seed makes another world.")]


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

    from mmrl.cli.bars import Bars
    from mmrl.cli.options import quiet_libraries
    from mmrl.cli.tables import metrics_table
    from mmrl.demo import run_demo

    quiet_libraries()
    with Bars() as bars:
        report = run_demo(home, posts, seed, bars)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
        return
    trained = report.run.trained
    if trained is not None and trained.evaluation is not None:
        Console().print(metrics_table(trained.evaluation, title="On simulated posts"))
    if trained is not None:
        typer.echo(trained.message)
    if report.run.published is not None:
        typer.echo(f"\nReport: {report.run.published.report}")
    typer.echo(
        f"Next: mmrl status --home {home}\n"
        f"      mmrl predict PICTURE --title '...' --subreddit SimPics --home {home} "
        f"--as-of {report.as_of:%Y-%m-%dT%H:%M}"
    )


def sandbox(
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8321,
    posts: Posts = 2_000,
    seed: Seed = 0,
    days: Annotated[int, typer.Option("--days", min=3, help="The time posts are made in.")] = 70,
    speed: Annotated[
        float, typer.Option("--speed", min=0, help="Simulated seconds a second; 0 stands still.")
    ] = 0.0,
    replay: Annotated[
        Path | None,
        typer.Option("--replay", help="Real posts instead: a dump or a table of them."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="With --replay: the folder of their pictures.")
    ] = None,
    subreddit: Annotated[
        str | None,
        typer.Option(
            "--subreddit", help="With --replay: for rows that name none; of a dump, only this one."
        ),
    ] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
    as_json: Json = False,
) -> None:
    """Serves the simulated Reddit by itself, on loopback, until Ctrl-C.

    Its clock is moved with `curl -d '{"advance": 3600}' URL/sandbox/clock`; faults are switched on
    with `curl -d '{"server_error": 0.1}' URL/sandbox/faults`. docs/sandbox.md says more.
    """
    import json

    from mmrl.errors import InputError
    from mmrl.sandbox import SandboxServer, World, praw_settings

    parent = os.getppid()
    if replay is None and (images or subreddit):
        raise InputError("--images and --subreddit go with --replay FILE, which is missing.")
    if replay is None:
        world, told = World.make(posts, seed, days), f"{posts:,} made-up posts"
    else:
        world, told = _replayed(replay, images, subreddit)
    with SandboxServer(world, port=port, speed=speed) as server:
        if as_json:
            typer.echo(json.dumps({"url": server.url}))
        else:
            typer.echo(f"A simulated Reddit with {told} answers at {server.url}. For praw.ini:")
            typer.echo("\n[sandbox]")
            for name, value in praw_settings(server.url).items():
                typer.echo(f"{name} = {value}")
        while not with_parent or os.getppid() == parent:
            time.sleep(0.5)


def _replayed(path: Path, images: Path | None, subreddit: str | None) -> "tuple[World, str]":
    """The world of a file's posts, and what is in it in a few words."""
    from mmrl.sandbox.replay import replay

    found = replay(path, moment(None), images, subreddit)
    told = f"{len(found.world.posts):,} real posts, {found.pictured:,} with a picture"
    if found.left_out:
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in found.left_out.most_common())
        told += f" ({found.left_out.total():,} left out: {reasons})"
    return found.world, told
