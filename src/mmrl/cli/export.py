"""`mmrl export`."""

from pathlib import Path
from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, open_home


def export(
    what: Annotated[
        str, typer.Argument(help="samples, vectors, images, predictions or evaluation.")
    ],
    to: Annotated[
        Path, typer.Option("--to", help="A folder that is new, empty or an earlier export.")
    ],
    form: Annotated[
        str, typer.Option("--format", help="parquet, csv, hf (for `datasets`) or webdataset.")
    ] = "parquet",
    model: Annotated[
        str, typer.Option("--model", help="Of an evaluation: a version, champion or latest.")
    ] = "champion",
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Writes what the home holds as files that other programs read, with a card.

    Right in time: nothing that was not known at --as-of. The card counts what is there and what was
    dropped and why, names sources, models and versions, and says how to purge what is exported.
    """
    import json

    exported = open_home(home, quiet=as_json).export(
        what, to, format=form, model=model, as_of=as_of
    )
    if as_json:
        typer.echo(json.dumps(exported.as_dict()))
        return
    typer.echo(
        f"{exported.rows:,} rows in {exported.files} files, {exported.size_bytes / 1e6:,.1f} MB: "
        f"{exported.folder}. What is in it: {exported.folder / 'README.md'}"
    )
