"""`mmrl report`."""

from pathlib import Path
from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Version, from_here, open_home


def report(
    version: Version = "champion",
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write it; the home's reports/ if not.")
    ] = None,
) -> None:
    """Writes a model's report: one HTML file that opens without a network."""
    path = open_home(home).report(version, as_of=as_of, out=out)
    typer.echo(f"Report: {from_here(path)}")
