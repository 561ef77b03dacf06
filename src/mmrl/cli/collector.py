"""How the collector did when it was last heard of, as `mmrl status` shows it."""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from mmrl.collector.status import Status
    from mmrl.status import Survey

_GAPS_NAMED = 5


def collector(found: "Survey") -> "Table":
    """Its account of itself, a line a fact; no lines where none ever ran."""
    from dataclasses import replace

    from rich.table import Table
    from rich.text import Text

    from mmrl.cli.collector_lines import facts

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    said = []
    if found.collector is not None:
        # The table of gaps is newer than the account, and says more.
        account = replace(found.collector, gap_ids=0)
        said = [("collector", _state(account)), *facts(account)]
    for name, words in [*said, *_gaps(found)]:
        table.add_row(name, Text(words))  # Text: what is said may hold brackets
    return table


def _state(status: "Status") -> str:
    began, heard = _time(status.started_at), _time(status.at)
    process = f"process {status.process} on {status.host}"
    if status.state == "running":
        return f"running since {began}, last heard of {heard} ({process})"
    if status.state == "killed":
        return f"killed; ran from {began}, last heard of {heard} ({process})"
    return f"{status.state} {heard}; ran from {began}"


def _gaps(found: "Survey") -> list[tuple[str, str]]:
    if not found.gaps and not found.gaps_filled:
        return []
    requests = -(-found.gap_ids // 100)
    left = f", {found.gap_ids:,} ids left to ask for ({requests:,} requests)" if found.gaps else ""
    shown = [("gaps", f"{len(found.gaps):,} open{left}; {found.gaps_filled:,} filled")]
    for gap in found.gaps[:_GAPS_NAMED]:
        names = ", ".join(f"r/{name}" for name in gap.subreddits.split("+"))
        shown.append(("", f"{names}, found {_time(gap.found_at)}: {gap.left:,} ids"))
    if len(found.gaps) > _GAPS_NAMED:
        shown.append(("", f"and {len(found.gaps) - _GAPS_NAMED:,} more"))
    return shown


def _time(time: datetime | None) -> str:
    return "at a time unknown" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"
