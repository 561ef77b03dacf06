"""`mmrl init`."""

from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, suggested


def init(
    home: Annotated[
        str, typer.Argument(help="The folder (or s3:// address) to make the home in.")
    ] = DEFAULT_HOME,
) -> None:
    """Makes a home: a catalog, a commented `mmrl.toml`, a `praw.ini` to fill in, and
    a `.gitignore` that keeps credentials and posts out of Git.

    What is there already is left as it is. In an object store, Reddit's credentials stay outside.
    """
    from mmrl.home.make import credentials_file
    from mmrl.home.make import init as make

    made = make(home)
    for path in made:
        typer.echo(f"made {path}")
    if not made:
        typer.echo(f"{home} is a home already; nothing was changed.")
    collect = suggested("collect", "--home", home)
    table = suggested("import", "table", "--home", home, "posts.csv")
    typer.echo(
        f"\nNext: put credentials into {credentials_file(home)} and run `{collect}`,"
        f"\nor import posts you have: `{table}`."
    )
