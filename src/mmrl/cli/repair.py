"""`mmrl repair`."""

from typing import Annotated

import typer

import mmrl
from mmrl.cli.options import DEFAULT_HOME, Home, Json


def repair(
    home: Home = DEFAULT_HOME,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what is broken and what would be done.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Mends what a crash, a full disk or a bad copy broke, as far as it can be made again.

    Tables lose the files that can't be read, images the ones that are not what their hash says,
    and the list of models the versions that don't load; what is lost is said, and what brings it
    back. Stop `mmrl collect` before.
    """
    import json

    repairs = mmrl.repair(home, dry_run=dry_run, tell=None if as_json else typer.echo)
    if as_json:
        typer.echo(json.dumps([one.as_dict() for one in repairs]))
    elif not repairs:
        typer.echo(f"Nothing is broken in {home}.")
    if any(not one.mended for one in repairs):
        raise typer.Exit(1)
