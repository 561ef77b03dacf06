"""`mmrl weights`: the models of the Hugging Face hub that a profile needs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

import mmrl
from mmrl.cli.options import DEFAULT_HOME, Home, Json

if TYPE_CHECKING:
    from rich.table import Table

    from mmrl.encoders.weights import Listed

app = typer.Typer(
    help="Fetches models from the Hugging Face hub, and lists what is there.",
    no_args_is_help=True,
)


def _profile_option(help: str) -> Any:
    return typer.Option("--profile", metavar="NAME", help=help)


@app.command("list")
def list_weights(
    profile: Annotated[
        str | None, _profile_option("One profile; all that use the hub unless given.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: Json = False,
) -> None:
    """Every model of the profiles: what it serves, licence, size, revision, and what is there."""
    import json
    from itertools import groupby

    from rich.console import Console

    from mmrl.home.weights import kept_in

    rows = mmrl.open(home, create=True).weights(profile)
    if as_json:
        typer.echo(json.dumps([row.as_dict() for row in rows]))
        return
    for name, models in groupby(rows, lambda row: row.profile):
        of_profile = list(models)
        Console().print(_table(name, of_profile))
        for row in of_profile:
            if row.path is not None:
                typer.echo(f"{row.model}: {row.path}")
        typer.echo()
    if any(row.kind == "hub" for row in rows):
        typer.echo(f"The hub's cache is {kept_in()}.")
    absent = {row.profile for row in rows if row.kind == "hub" and row.state != "there"}
    for name in sorted(absent):
        typer.echo(f"What is not there comes with: mmrl weights fetch --profile {name}")


def _table(profile: str, rows: "list[Listed]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from mmrl.home.weights import SHORT

    table = Table(title=f"profile {profile}", title_justify="left", box=None, pad_edge=False)
    for column in ("model", "for", "licence", "size", "revision", "state"):
        table.add_column(column, overflow="fold")
    for row in rows:
        state = row.state if row.kind != "local folder" else f"local folder, {row.state}"
        cells = (
            row.model,
            ", ".join(row.roles),
            row.licence,
            row.size,
            row.revision[:SHORT],
            f"{state} ({row.detail})" if row.detail else state,
        )
        table.add_row(*map(Text, cells))  # Text: a name is no markup
    return table


@app.command()
def fetch(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...", help="Models by their names on the hub; the profile's if none."
        ),
    ] = None,
    profile: Annotated[
        str | None, _profile_option("The profile to fetch for; the setting's if none.")
    ] = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Downloads models at their pinned revisions; says first what, how much and where to.

    What is there is left alone, and a download that was stopped goes on from where it was.
    """
    opened = mmrl.open(home, create=True)
    opened.fetch_weights(*models or (), profile=profile, tell=typer.echo)
