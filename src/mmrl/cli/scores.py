"""`mmrl scores`."""

from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, open_home, say_if_simulated

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
    found = opened.scores(days, as_of=as_of)
    if alarm and found.warning is not None:
        raise Failure(found.warning)
    if as_json:
        typer.echo(json.dumps(found.as_dict()))
        return
    if not found.days:
        typer.echo(
            f"No published prediction has an outcome yet; {found.waiting:,} posts wait for theirs. "
            "`mmrl run` publishes predictions of live posts."
        )
        return
    Console().print(scores_table(found))
    typer.echo(f"{found.waiting:,} predicted posts wait for their outcome.")
    if found.late:
        typer.echo(f"{found.late:,} posts were first predicted after the fact, and do not count.")
    if found.warning is not None:
        typer.echo(found.warning)
    say_if_simulated(opened)


def scores_table(found: "Scores") -> "Table":
    """A row a day, and the last week."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    unit = "log score" if found.unit == "log_score" else "percentile"
    table.add_column("posts of", no_wrap=True)
    for name in ("posts", "in order", "in 80% range", f"error ({unit})", "of recent means"):
        table.add_column(name, justify="right")
    table.add_column("version")
    rows = [(str(day.day), day) for day in found.days]
    if found.week is not None:
        rows.append(("last week", found.week))
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
