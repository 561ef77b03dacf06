"""`mmrl init`."""

from pathlib import Path
from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME


def init(
    home: Annotated[Path, typer.Argument(help="The folder to make the home in.")] = Path(
        DEFAULT_HOME
    ),
) -> None:
    """Makes a home: a catalog, a commented `mmrl.toml`, a `praw.ini` to fill in, and
    a `.gitignore` that keeps credentials and posts out of Git.

    What is there already is left as it is.
    """
    from mmrl.home.make import init as make

    made = make(home)
    for path in made:
        typer.echo(f"made {path}")
    if not made:
        typer.echo(f"{home} is a home already; nothing was changed.")
    typer.echo(
        f"\nNext: put credentials into {home / 'praw.ini'} and run `mmrl collect --home {home}`,"
        f"\nor import posts you have: `mmrl import table --home {home} posts.csv`."
    )
