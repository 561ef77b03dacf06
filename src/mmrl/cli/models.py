"""`mmrl models`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mmrl.cli.options import (
    DEFAULT_HOME,
    Home,
    Json,
    Version,
    open_home,
    say_if_simulated,
    suggested,
)

app = typer.Typer(
    help="Lists, shows, compares and promotes the models that were kept.", no_args_is_help=True
)


Form = Annotated[
    str, typer.Option("--format", help="table, markdown, latex, csv or json.", show_default=True)
]


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
        typer.echo(f"No model was trained yet: `{suggested('train', '--home', home)}`.")
    else:
        Console().print(versions_table(versions))
        say_if_simulated(opened)


@app.command()
def show(
    version: Version = "champion",
    home: Home = DEFAULT_HOME,
    form: Form = "table",
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Also write figures into this folder.")
    ] = None,
    figure_form: Annotated[
        str, typer.Option("--figure-format", help="Of figures: svg or pdf.")
    ] = "svg",
    as_json: Json = False,
) -> None:
    """One model: its metrics against every baseline, splits, encoders and tables."""
    import json

    from rich.console import Console

    from mmrl.cli.terminal.tables import metrics_table
    from mmrl.learning.evaluation.written import metrics_rows

    form = _form(form, as_json)
    opened = open_home(home)
    shown = opened.models[version]
    learned, judged = opened.models.purged(shown.version)
    if figures is not None:
        for file in opened.models.figures(shown.version, figures, figure_form):
            typer.echo(f"Figure: {file}", err=True)
    if form == "json":
        purged = {"purged": {"learned": learned, "judged": judged}}
        typer.echo(json.dumps({**shown.evaluation.as_dict(), **purged}))
        return
    if form != "table":
        _write(form, *metrics_rows(shown.evaluation), f"Version {shown.version}")
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
    versions: Annotated[list[str], typer.Argument(help="Two versions or more.")],
    home: Home = DEFAULT_HOME,
    form: Form = "table",
    as_json: Json = False,
) -> None:
    """Models side by side, metric by metric, with paired differences where they share test posts.

    Differences are from the first one, on the same posts.
    """
    import json

    from rich.console import Console

    from mmrl.cli.terminal.tables import comparison_table, paired_table
    from mmrl.errors import InputError
    from mmrl.learning.evaluation.written import paired_rows

    form = _form(form, as_json)
    if len(versions) < 2:
        raise InputError("A comparison needs two versions or more: give their numbers.")
    opened = open_home(home)
    two = opened.models.compare(*versions) if len(versions) == 2 else None
    try:
        paired = opened.models.paired(*versions)
    except InputError as error:  # no shared test posts: two versions are compared all the same
        if two is None or form not in ("table", "json"):
            raise
        paired, why = None, str(error)
    if form == "json":
        told = {} if two is None else two.as_dict()
        pairs = None if paired is None else asdict(paired)
        typer.echo(json.dumps({**told, "paired": pairs}))
        return
    if paired is not None and form != "table":
        caption = f"On the same {paired.posts:,} test posts"
        _write(form, *paired_rows(paired), caption, together=2)  # a value and its difference
        return
    if two is not None:
        Console().print(comparison_table(two))
    if paired is None:
        typer.echo(why)
    else:
        Console().print(paired_table(paired))
    say_if_simulated(opened)


def _form(form: str, as_json: bool) -> str:
    """The format that was asked for; --json is short for one."""
    from mmrl.errors import InputError
    from mmrl.runtime.written_tables import FORMS

    known = ("table", *FORMS, "json")
    if form not in known:
        raise InputError(f"--format is {form!r}, expected one of: {', '.join(known)}.")
    return "json" if as_json else form


def _write(
    form: str, head: list[str], rows: list[list[str]], caption: str, together: int = 1
) -> None:
    from mmrl.runtime.written_tables import written

    typer.echo(written(form, head, rows, caption, together=together), nl=False)


@app.command()
def promote(version: Version, home: Home = DEFAULT_HOME) -> None:
    """Makes a version the champion by hand, for instance to roll back."""
    typer.echo(f"Version {open_home(home).models.promote(version)} is the champion now.")


@app.command()
def drop(version: Version, home: Home = DEFAULT_HOME) -> None:
    """Deletes a version with its files, as after a purge of posts that it learned from.

    The newest version that is left becomes champion if this one was.
    """
    models = open_home(home).models
    number = models[version].version
    champion = models.drop(number)
    left = f"version {champion} is the champion" if champion else "no version is the champion"
    typer.echo(f"Version {number} and its files are deleted; {left}.")
