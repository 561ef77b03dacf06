"""`mmrl train`."""

from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, open_home, say_if_simulated


def train(
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train even when no sample is new since last time.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Trains a model on all matured samples, judges it against baselines, and keeps it.

    The champion moves only when the new model is not worse on the same test posts.
    """
    import json

    from rich.console import Console

    from mmrl.cli.terminal.tables import metrics_table

    opened = open_home(home, quiet=as_json)
    trained = opened.train(as_of=as_of, force=force)
    if as_json:
        typer.echo(json.dumps(trained.as_dict()))
        return
    if trained.evaluation is not None:
        Console().print(metrics_table(trained.evaluation))
    typer.echo(trained.message)
    say_if_simulated(opened)
