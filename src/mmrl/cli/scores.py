"""`mmrl scores`."""

from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, open_home, say_if_simulated
from mmrl.runtime.counted import counted

if TYPE_CHECKING:
    from rich.table import Table

    from mmrl.learning.evaluation.prospective import Scores


def scores(
    days: Annotated[int, typer.Option("--days", min=1, help="Posts of so many days.")] = 28,
    alarm: Annotated[
        bool,
        typer.Option("--alarm", help="Fail where the last week was worse than the baseline."),
    ] = False,
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Shows how published predictions of live posts came out, by the day the posts went up.

    A post's earliest prediction counts, and none that was written when the outcome could be known.
    `mmrl run` publishes the champion's predictions of the posts that have not matured.
    """
    import json

    from rich.console import Console

    from mmrl.errors import Failure

    opened = open_home(home)
    scores = opened.scores(days, as_of=as_of)
    if alarm and scores.warning is not None:
        raise Failure(scores.warning)
    if as_json:
        typer.echo(json.dumps(scores.as_dict()))
        return
    if not scores.days:
        typer.echo(
            "No published prediction has an outcome yet; "
            f"{counted(scores.waiting, 'post waits', 'posts wait')} for one. `mmrl run` publishes "
            "predictions of live posts."
        )
        return
    Console().print(scores_table(scores))
    typer.echo(
        f"{counted(scores.waiting, 'predicted post waits', 'predicted posts wait')} for an outcome."
    )
    if scores.late:
        late = counted(scores.late, "post was", "posts were")
        typer.echo(f"{late} first predicted after the fact: not counted.")
    if scores.warning is not None:
        typer.echo(scores.warning)
    say_if_simulated(opened)


def scores_table(scores: "Scores") -> "Table":
    """A row a day, and the last week."""
    from mmrl.cli.terminal.table import listing

    table = listing()
    unit = "log score" if scores.unit == "log_score" else "percentile"
    table.add_column("posts of", no_wrap=True)
    for name in ("posts", "in order", "in 80% range", f"error ({unit})", "of recent means"):
        table.add_column(name, justify="right")
    table.add_column("version")
    rows = [(str(day.day), day) for day in scores.days]
    if scores.week is not None:
        rows.append(("last week", scores.week))
    for name, row in rows:
        table.add_row(
            name,
            f"{row.posts:,}",
            "too few" if row.spearman is None else f"{row.spearman:.2f}",
            f"{row.coverage:.0%}",
            f"{row.error:.2f}",
            "not known" if row.baseline_error is None else f"{row.baseline_error:.2f}",
            ", ".join(row.versions),
        )
    return table
