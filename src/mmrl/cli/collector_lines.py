"""What `mmrl collect` shows as it runs: a few live lines on a terminal, plain lines elsewhere."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from mmrl.collector.status import Status

_SUBREDDITS = 6  # shown by name in the live lines


class Watch:
    """Shows a collector's status on standard error; a context manager.

    Args:
        quiet: shows nothing but what `say` is given.
        every: time between two plain lines, where there is no terminal.
    """

    def __init__(self, *, quiet: bool, every: timedelta) -> None:
        self._console = Console(stderr=True)
        self.live = self._console.is_terminal and not quiet
        self._quiet = quiet
        self._every = every
        self._said_at: datetime | None = None
        self._shown: Live | None = None

    def __enter__(self) -> "Watch":
        if self.live:
            self._shown = Live(console=self._console, refresh_per_second=2, transient=True)
            self._shown.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._shown is not None:
            self._shown.stop()

    def show(self, status: "Status") -> None:
        """Shows how it does: at once on a terminal, now and then elsewhere."""
        if self._shown is not None:
            self._shown.update(Text(lines(status)))
            return
        assert status.at is not None
        due = self._said_at is None or status.at - self._said_at >= self._every
        if not self._quiet and due and status.polled_at is not None:
            self._said_at = status.at
            typer.echo(line(status), err=True)

    def say(self, sentence: str) -> None:
        """Says what happened; stays on the screen."""
        if self._shown is not None:
            self._console.print(sentence, highlight=False, markup=False)
        else:
            typer.echo(sentence, err=True)


def line(status: "Status") -> str:
    """All in one line, for a journal."""
    parts = [
        f"{status.seen:,} posts seen",
        f"{status.kept:,} kept",
        f"{status.looks:,} looks ({status.looks_due:,} due, {status.looks_late:,} late)",
        requests(status),
        lag(status),
    ]
    if status.gap_ids:
        parts.append(f"gaps: {status.gap_ids:,} ids to ask for")
    if status.left_out:
        parts.append("left out: " + ", ".join(f"r/{name}" for name in sorted(status.left_out)))
    if status.failing:
        parts.append(f"failing: {status.last_error}")
    return "; ".join(part for part in parts if part)


def lines(status: "Status") -> str:
    """The live lines of a terminal."""
    return "\n".join(f"{name:<10}{said}" for name, said in facts(status))


def facts(status: "Status") -> list[tuple[str, str]]:
    """What there is to say, each with its name."""
    most = sorted(status.subreddits.items(), key=lambda item: -item[1])
    named = ", ".join(f"{name} {count:,}" for name, count in most[:_SUBREDDITS])
    if len(most) > _SUBREDDITS:
        rest = sum(count for _, count in most[_SUBREDDITS:])
        named += f", {len(most) - _SUBREDDITS} more {rest:,}"
    posts = f"{status.seen:,} seen, {status.kept:,} kept" + (f" ({named})" if named else "")
    looks = f"{status.looks:,} taken, {status.looks_due:,} due, {status.looks_late:,} late"
    shown = [
        ("posts", posts),
        ("looks", looks),
        ("requests", f"{requests(status)}; {lag(status) or 'no poll yet'}"),
    ]
    if status.gap_ids:
        shown.append(("gaps", f"{status.gap_ids:,} ids are left to ask for"))
    shown += [("left out", f"r/{name}: {why}") for name, why in sorted(status.left_out.items())]
    if status.last_error is not None and status.last_error_at is not None:
        shown.append(("error", f"{status.last_error} ({_when(status)})"))
    return shown


def _when(status: "Status") -> str:
    """When the last error was, and whether it is over."""
    at = f"{status.last_error_at:%d %b %H:%M:%S} UTC"
    if status.state == "failed":
        return f"{at}; this ended it"
    if status.failing:
        return "now" if status.state == "running" else f"{at}; it lasted to the end"
    return f"{at}, over"


def requests(status: "Status") -> str:
    """`12 of 100 requests in a minute`."""
    if status.limit is None:
        return f"{status.requests:,} requests"
    return f"{status.used:,} of {status.limit:,} requests in the last minute"


def lag(status: "Status") -> str:
    """How far behind Reddit it is; empty before the first poll."""
    if status.polled_at is None or status.at is None:
        return ""
    since = (status.at - status.polled_at).total_seconds()
    told = f"{_span(since)} since the last poll"
    if status.newest_age is not None:
        told += f", newest post {_span(status.newest_age)} old then"
    return told


def _span(seconds: float) -> str:
    seconds = max(0, round(seconds))
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 2 * 3_600:
        return f"{seconds // 60} min"
    return f"{seconds // 3_600} h"
