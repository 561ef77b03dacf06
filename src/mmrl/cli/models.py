"""`mmrl models`."""

from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, Home, Json, Version, open_home, say_if_simulated

app = typer.Typer(
    help="Lists, shows, compares and promotes the models that were kept.", no_args_is_help=True
)


@app.command("list")
def list_models(home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Every model kept, oldest first, with the metrics that lead a report."""
    import json

    from rich.console import Console

    from mmrl.cli.terminal.tables import versions_table

    opened = open_home(home)
    versions = list(opened.models)
    if as_json:
        typer.echo(json.dumps([version.as_dict() for version in versions]))
    elif not versions:
        typer.echo(f"No model was trained yet: `mmrl train --home {home}`.")
    else:
        Console().print(versions_table(versions))
        say_if_simulated(opened)


@app.command()
def show(version: Version = "champion", home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """One model: its metrics against every baseline, splits, encoders and tables."""
    import json

    from rich.console import Console

    from mmrl.cli.terminal.tables import metrics_table
    from mmrl.purge.rows import purged_of

    opened = open_home(home)
    shown = opened.models[version]
    learned, judged = purged_of(opened.catalog, shown.version)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    **shown.evaluation.as_dict(),
                    "purged": {"learned": learned, "judged": judged},
                }
            )
        )
        return
    Console().print(metrics_table(shown.evaluation))
    typer.echo(shown.summary())
    if learned or judged:
        typer.echo(
            f"Purged since: {learned:,} of the posts it learned from, {judged:,} of those it was "
            "judged on."
        )
    say_if_simulated(opened)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A version.")],
    b: Annotated[str, typer.Argument(help="Another version.")],
    home: Home = DEFAULT_HOME,
    as_json: Json = False,
) -> None:
    """Two models side by side, metric by metric."""
    import json

    from rich.console import Console

    from mmrl.cli.terminal.tables import comparison_table

    opened = open_home(home)
    comparison = opened.models.compare(a, b)
    if as_json:
        typer.echo(json.dumps(comparison.as_dict()))
    else:
        Console().print(comparison_table(comparison))
        say_if_simulated(opened)


@app.command()
def promote(version: Version, home: Home = DEFAULT_HOME) -> None:
    """Makes a version the champion by hand, for instance to roll back."""
    typer.echo(f"Version {open_home(home).models.promote(version)} is the champion now.")
