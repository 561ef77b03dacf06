"""`mmrl train`."""

from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, moment, open_home, say_if_simulated


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

    from mmrl.cli.terminal.bars import Bars
    from mmrl.cli.terminal.tables import metrics_table
    from mmrl.pipeline.stages.train import train_if_new

    at = moment(as_of)
    catalog, settings = open_home(home)
    with Bars(quiet=as_json) as bars:
        trained = train_if_new(catalog, settings, at, bars, force=force)
    if as_json:
        typer.echo(json.dumps(trained.as_dict()))
        return
    if trained.evaluation is not None:
        Console().print(metrics_table(trained.evaluation))
    typer.echo(trained.message)
    say_if_simulated(catalog)
