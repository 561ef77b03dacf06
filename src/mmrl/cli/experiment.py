"""`mmrl experiment`."""

from pathlib import Path
from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, Home, Json, open_home


def experiment(
    file: Annotated[Path, typer.Argument(help="The plan, a TOML file: see docs/experiments.md.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The results' folder; experiments/NAME in the home if not."),
    ] = None,
    cell: Annotated[
        str | None, typer.Option("--cell", metavar="KEY", help="Train just this one, again.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: Json = False,
) -> None:
    """Trains every combination of a plan once, and writes one table as CSV, Markdown and LaTeX.

    Targets, splits, groups of features, learners, seeds and profiles, on one home. What was trained
    is kept: interrupted, the same command goes on. What was trained on other posts, or with other
    settings, than there are now is trained again. The registry of models is left alone.
    """
    import json

    report = open_home(home, quiet=as_json).experiment(file, out=out, cell=cell)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        again = (
            f" ({report.again:,} of them again, as posts, settings or mmrl are others now)"
            if report.again
            else ""
        )
        typer.echo(
            f"{report.trained:,} trained{again}, {report.kept:,} kept from before: "
            f"{report.folder / 'results.md'}"
        )
        if report.stale:
            typer.echo(
                f"Left out of the table: {report.stale:,} trained on other posts, or with other "
                "settings, than there are now. Without --cell they are trained again.",
                err=True,
            )
        for key, why in report.failed.items():
            typer.echo(f"Not trained: {key}: {why}", err=True)
    if report.failed:
        raise typer.Exit(1)
