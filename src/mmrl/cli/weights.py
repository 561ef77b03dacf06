"""`mmrl weights`: the models of the Hugging Face hub that a profile needs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmrl.cli.options import DEFAULT_HOME, Home, Json

if TYPE_CHECKING:
    from rich.table import Table

    from mmrl.config import Settings
    from mmrl.encoders.hub.models import HubModel
    from mmrl.encoders.weights import Listed

app = typer.Typer(
    help="Fetches models from the Hugging Face hub, and lists what is there.",
    no_args_is_help=True,
)

_SHORT = 12  # digits of a revision, as in an encoder's id


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

    from mmrl.config import load_settings
    from mmrl.encoders.hub.cache import cache_folder
    from mmrl.encoders.weights import hub_profiles
    from mmrl.encoders.weights import list_weights as survey_weights
    from mmrl.home.opened import require_folder

    require_folder(home)
    rows = survey_weights(load_settings(home), hub_profiles() if profile is None else [profile])
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
        typer.echo(f"The hub's cache is {cache_folder()}.")
    absent = {row.profile for row in rows if row.kind == "hub" and row.state != "there"}
    for name in sorted(absent):
        typer.echo(f"What is not there comes with: mmrl weights fetch --profile {name}")


def _table(profile: str, rows: "list[Listed]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from mmrl.encoders.hub.models import gigabytes

    table = Table(title=f"profile {profile}", title_justify="left", box=None, pad_edge=False)
    for column in ("model", "for", "licence", "size", "revision", "state"):
        table.add_column(column, overflow="fold")
    for row in rows:
        state = row.state if row.kind != "local folder" else f"local folder, {row.state}"
        cells = (
            row.model,
            ", ".join(row.roles),
            row.licence,
            gigabytes(row.size_bytes) if row.size_bytes else "",
            row.revision[:_SHORT],
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
    from mmrl.config import load_settings
    from mmrl.encoders.hub import download as fetching
    from mmrl.encoders.hub.cache import cache_folder
    from mmrl.encoders.hub.models import gigabytes
    from mmrl.home.opened import require_folder
    from mmrl.runtime.bars import Bars

    require_folder(home)
    settings = load_settings(home)
    absent = _absent(settings, models or [], profile)
    if not absent:
        return
    plans = [fetching.plan(model) for model in absent]
    free = fetching.free_space()
    typer.echo(f"To fetch into {cache_folder()}:")
    for plan in plans:
        model = plan.model
        came = f", {gigabytes(plan.came)} of it came before" if plan.came else ""
        typer.echo(
            f"  {model.name} at {plan.commit[:_SHORT]}: {gigabytes(plan.size)}{came}; "
            f"licence {model.licence}" + (f"; {model.note}" if model.note else "")
        )
    left = sum(plan.left for plan in plans)
    typer.echo(f"{gigabytes(left)} to come; {gigabytes(free)} are free there.")
    fetching.require_space(plans, free)
    with Bars(of_bytes=True) as bars:
        for plan in plans:
            fetching.fetch(plan, bars)
    typer.echo("All weights are there.")


def _absent(settings: "Settings", names: list[str], profile: str | None) -> "list[HubModel]":
    """The models to fetch; says of each other one why it is not."""
    from mmrl.encoders.hub.checkpoint import checkpoint
    from mmrl.encoders.weights import needed

    if not names:
        chosen = profile or settings.profile
        names = list(needed(chosen, settings))
        if not names:
            typer.echo(
                f"The profile {chosen} takes nothing from the hub: its weights come in packages. "
                "For another: mmrl weights fetch --profile reference"
            )
    absent = []
    for name in dict.fromkeys(names):
        place = checkpoint(name, settings.weights, settings.device, settings.dtype)
        if place.local is not None:
            typer.echo(f"{name} is taken from {place.local} ([weights] in mmrl.toml): not fetched.")
        elif not place.missing():
            typer.echo(f"{name} is there: {place.expected_at}")
        else:
            absent.append(place.model)
    return absent
