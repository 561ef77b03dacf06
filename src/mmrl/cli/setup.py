"""`mmrl init` and `mmrl doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, Home, Json


def init(
    home: Annotated[Path, typer.Argument(help="The folder to make the home in.")] = Path(
        DEFAULT_HOME
    ),
) -> None:
    """Makes a home: a catalog, a commented `mmrl.toml` and a `praw.ini` to fill in.

    What is there already is left as it is.
    """
    from mmrl.home import init as make

    made = make(home)
    for path in made:
        typer.echo(f"made {path}")
    if not made:
        typer.echo(f"{home} is a home already; nothing was changed.")
    typer.echo(
        f"\nNext: put credentials into {home / 'praw.ini'} and run `mmrl collect --home {home}`,"
        f"\nor import posts you have: `mmrl import table --home {home} posts.csv`."
    )


def doctor(home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Says what is configured, what is missing, and how to mend it."""
    import json

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mmrl.cli.options import check_home, quiet_libraries
    from mmrl.doctor import examine

    quiet_libraries()
    check_home(home)
    findings = examine(home)
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings]))
    else:
        table = Table(box=None, pad_edge=False)
        for column in ("", "what", "found", "to mend it"):
            table.add_column(column, overflow="fold")
        marks = {"ok": "[green]✓[/]", "missing": "[yellow]–[/]", "wrong": "[red]✗[/]"}
        for finding in findings:
            said = (finding.what, finding.found, finding.mend)
            table.add_row(marks[finding.state], *map(Text, said))  # Text: [site] is no markup
        Console().print(table)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)
