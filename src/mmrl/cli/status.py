"""`mmrl status`."""

from typing import TYPE_CHECKING

import typer

from mmrl.cli.options import (
    DEFAULT_HOME,
    AsOf,
    Home,
    Json,
    open_home,
    say_if_later,
    say_if_simulated,
    suggested,
)

if TYPE_CHECKING:
    from rich.table import Table

    from mmrl.status import StageStatus, Survey

_EXAMPLE = 160  # characters of an example


def status(home: Home = DEFAULT_HOME, as_of: AsOf = None, as_json: Json = False) -> None:
    """Shows each stage's work: done, pending, left out and failed, by reason.

    Below: the collector's state, the gaps that its listings left, and what was erased.
    """
    import json

    from rich.console import Console

    from mmrl.cli.terminal.collector_lines import collector
    from mmrl.home.moments import moment

    at = moment(as_of)
    opened = open_home(home)
    state = opened.status(at)
    if as_json:
        typer.echo(json.dumps(state.as_dict()))
        return
    console = Console()
    for table in (_counts(state.stages), _reasons(state), collector(state)):
        if table.row_count:
            console.print(table)
            typer.echo()
    if state.profile_error is not None:
        typer.echo(f"The stages marked ? can't be counted: {state.profile_error}\n")
    if state.warning is not None:
        typer.echo(f"Warning: {state.warning}\n")
    say_if_simulated(opened)
    say_if_later(state.later, at)
    if not state.stages[0].done:
        imported = suggested("import", "table", "FILE", "--home", home)
        collect = suggested("collect", "--home", home)
        typer.echo(f"This home is empty: no post came in yet.\nNext: {imported}, or {collect}")
    elif any(row.pending for row in state.stages):
        typer.echo(f"Next: {suggested('run', '--home', home)}")


def _counts(rows: "list[StageStatus]") -> "Table":
    from mmrl.cli.terminal.table import listing

    table = listing()
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
            "?" if row.done is None else f"{row.done:,}",
            row.unit,
            pending,
            f"{left_out:,}" if left_out else "",
            f"{failed:,}" if failed else "",
        )
    return table


def _reasons(state: "Survey") -> "Table":
    """A row a reason; beside the counts, the sentences would not fit into 80 columns."""
    from rich.text import Text

    from mmrl.cli.terminal.table import listing
    from mmrl.runtime.foreign_text import shown
    from mmrl.status import why_erased

    table = listing()
    table.add_column("why", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in state.stages:
        for what, counted in (("left out", row.left_out), ("failed", row.failed)):
            for reason, count in counted:
                words = Text(reason.sentence)
                if reason in row.examples:
                    words.append(f"\n{shown(row.examples[reason], _EXAMPLE)}", style="dim")
                table.add_row(row.stage, what, f"{count:,}", words)
    for word, count in state.erased.items():
        table.add_row("purge", "erased", f"{count:,}", Text(shown(why_erased(word))))
    return table
