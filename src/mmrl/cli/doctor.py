"""`mmrl doctor`."""

from typing import Annotated

import typer

import mmrl
from mmrl.cli.options import DEFAULT_HOME, Home, Json


def doctor(
    home: Home = DEFAULT_HOME,
    live: Annotated[
        bool,
        typer.Option("--live", help="Also send each live source one request, and compare."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Shows what is configured, what is missing, and how to mend it.

    Asks nobody anything, unless told to with --live.
    """
    import json

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    findings = mmrl.doctor(home, live=live)
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings]))
    else:
        table = Table(box=None, pad_edge=False)
        for column in ("", "what", "found", "to mend it"):
            table.add_column(column, overflow="fold")
        marks = {"ok": "[green]✓[/]", "missing": "[yellow]–[/]", "wrong": "[red]✗[/]"}
        for finding in findings:
            cells = (finding.what, finding.detail, finding.mend)
            table.add_row(marks[finding.state], *map(Text, cells))  # Text: [site] is no markup
        Console().print(table)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)
