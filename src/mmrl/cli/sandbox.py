"""`mmrl sandbox`."""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import Json, Posts, Seed

if TYPE_CHECKING:
    from mmrl.sandbox import World


def sandbox(
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8321,
    posts: Posts = 2_000,
    seed: Seed = 0,
    days: Annotated[int, typer.Option("--days", min=3, help="The time posts are made in.")] = 70,
    speed: Annotated[
        float, typer.Option("--speed", min=0, help="Simulated seconds a second; 0 stands still.")
    ] = 0.0,
    removals: Annotated[
        float,
        typer.Option("--removals", min=0, max=0.5, help="Share that is removed by a law."),
    ] = 0.0,
    replay: Annotated[
        Path | None,
        typer.Option("--replay", help="Real posts instead: a dump or a table of them."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="With --replay: the folder of their images.")
    ] = None,
    subreddit: Annotated[
        str | None,
        typer.Option(
            "--subreddit", help="With --replay: for rows that name none; of a dump, only this one."
        ),
    ] = None,
    unordered_after: Annotated[
        float | None,
        typer.Option(
            "--ids-unordered-after",
            min=0,
            help="From so many days on, ids no longer count up.",
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
        world, told = World.make(posts, seed, days, removals=removals), f"{posts:,} made-up posts"
    else:
        world, told = _replayed(replay, images, subreddit)
    if unordered_after is not None:
        world = world.without_id_order(world.start + timedelta(days=unordered_after), seed)
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
    """The world of a file's posts, and a few words on what is in it."""
    from mmrl.home.moments import moment
    from mmrl.sandbox.replay import replay

    replayed = replay(path, moment(None), images, subreddit)
    told = f"{len(replayed.world.posts):,} real posts, {replayed.with_image:,} with an image"
    if replayed.left_out:
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in replayed.left_out.most_common())
        told += f" ({replayed.left_out.total():,} left out: {reasons})"
    return replayed.world, told
