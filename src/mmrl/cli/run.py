"""`mmrl run` and `mmrl status`."""

from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, moment, open_home, say_if_simulated
from mmrl.stages import STAGES, groups

if TYPE_CHECKING:
    from rich.table import Table

    from mmrl.status import StageStatus, Survey

_ERASED = {  # Reddit's words, and ours
    "deleted": "deleted by its author",
    "author": "deleted by its author",
    "account_deleted": "its author's account was deleted",
    "moderator": "removed by moderators",
    "automod_filtered": "held back by the subreddit's filter",
    "reddit": "held back by Reddit's filters",
    "absent": "not shown by Reddit any more",
    "requested": "somebody asked for it",
}


def run_help() -> str:
    """The help of `mmrl run`, with the stages as the graph has them."""
    listed = "\n".join(f"- `{stage.name}` {stage.does}" for stage in STAGES)
    together = ", ".join(f"`{group}` stands for {' '.join(s)}" for group, s in groups().items())
    return f"""Runs the pipeline, or some of its stages, on what is new.

The stages, in order ({together}):

{listed}

A run that is killed loses at most the batch in flight; the next run goes on from there.
"""


def run(
    stages: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STAGE]...", help="Stages to run; all of them unless given."),
    ] = None,
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    import json

    from mmrl.cli.bars import Bars
    from mmrl.pipeline import run as pipeline

    at = moment(as_of)
    pipeline.expand(stages or [])
    catalog, settings = open_home(home)
    with Bars() as bars:
        report = pipeline.run(catalog, settings, stages or [], at, bars)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    elif not report.did_anything:
        if report.trained is not None and report.trained.too_few:
            typer.echo(report.trained.message)
        typer.echo("Nothing new: every stage is up to date.")
    else:
        if report.trained is not None:
            typer.echo(report.trained.message)
        if report.published is not None and report.published.report is not None:
            typer.echo(f"Report: {report.published.report}")
        typer.echo(f"Next: mmrl status --home {home}")


def status(home: Home = DEFAULT_HOME, as_of: AsOf = None, as_json: Json = False) -> None:
    """Shows a row a stage: what is done, pending, left out and failed, by reason.

    Below: how the collector does or did when it was last heard of, what its listings did not reach
    back to, and what was erased.
    """
    import json

    from rich.console import Console

    from mmrl.cli.collector import collector
    from mmrl.status import survey

    at = moment(as_of)
    catalog, settings = open_home(home)
    found = survey(catalog, settings, at)
    if as_json:
        typer.echo(json.dumps(found.as_dict()))
        return
    console = Console()
    for table in (_counts(found.stages), _reasons(found), collector(found)):
        if table.row_count:
            console.print(table)
            typer.echo()
    say_if_simulated(catalog)
    if not found.stages[0].done:
        typer.echo(f"Next: mmrl import table FILE --home {home}, or mmrl collect --home {home}")
    elif any(row.pending for row in found.stages):
        typer.echo(f"Next: mmrl run --home {home}")


def _counts(rows: "list[StageStatus]") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("stage", no_wrap=True)
    table.add_column("done", justify="right", no_wrap=True)
    table.add_column("")
    for name in ("pending", "left out", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        pending = "" if row.pending is None else f"{row.pending:,}"
        left_out, failed = (
            sum(count for _, count in counted) for counted in (row.left_out, row.failed)
        )
        table.add_row(
            row.stage,
            f"{row.done:,}",
            row.unit,
            pending,
            f"{left_out:,}" if left_out else "",
            f"{failed:,}" if failed else "",
        )
    return table


def _reasons(found: "Survey") -> "Table":
    """A line a reason: beside the counts, sentences would be folded to shreds in 80 columns."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("why", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in found.stages:
        for what, counted in (("left out", row.left_out), ("failed", row.failed)):
            for reason, count in counted:
                table.add_row(row.stage, what, f"{count:,}", reason.sentence)
    for word, count in found.erased.items():
        table.add_row("purge", "erased", f"{count:,}", _ERASED.get(word, f"Reddit says {word!r}"))
    return table
