"""`mmrl backfill`."""

from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, Home, Json, open_home, suggested
from mmrl.cli.spans import SandboxTime
from mmrl.runtime.counted import counted

After = Annotated[
    str | None,
    typer.Option("--after", metavar="TIME", help="Only posts created since then."),
]
Days = Annotated[
    int | None,
    typer.Option("--days", min=1, help="Or: posts of so many days; of 30 unless given."),
]


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
    days: Days = None,
    home: Home = DEFAULT_HOME,
    sandbox_clock: SandboxTime = None,
    as_json: Json = False,
) -> None:
    """Brings posts of the past from Arctic Shift, with their settled scores; needs no credentials.

    Says beforehand about how many requests and bytes it will take. Interrupted, it goes on where it
    was when it is started again; what it has once asked for, it does not ask for again.
    """
    import json

    report = open_home(home, quiet=as_json).backfill(
        subreddits or (),
        after=after,
        before=before,
        days=days,
        sandbox_clock=sandbox_clock,
    )
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
        return
    if not report.ended:
        typer.echo("Stopped: the same command goes on from here.")
        return
    for name in report.empty:
        typer.echo(f"r/{name}: no post of that time is archived; check its name.", err=True)
    following = suggested("run", "--home", home)
    typer.echo(f"{counted(report.seen, 'post')}, {report.new:,} of them new. Next: {following}")
