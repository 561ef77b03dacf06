"""`mmrl metrics`."""

from pathlib import Path
from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, open_home


def metrics(
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    textfile: Annotated[
        Path | None,
        typer.Option("--textfile", help="Write it there, whole at once, for node_exporter."),
    ] = None,
) -> None:
    """Prints the home's state as Prometheus text: stages, collectors, gaps, budget, champion.

    Call it every few minutes, with --textfile into the folder that node_exporter's textfile
    collector reads.
    """
    text = open_home(home, quiet=True).metrics(as_of, out=textfile)
    if textfile is None:
        typer.echo(text, nl=False)
