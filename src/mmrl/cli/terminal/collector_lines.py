"""A collector's status in words: the lines that `mmrl collect` shows as it runs, and a table."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from mmrl.collector.gaps import in_words
from mmrl.runtime.foreign_text import shown

if TYPE_CHECKING:
    from rich.table import Table

    from mmrl.collector.status import Status
    from mmrl.status import Collecting, Survey

_SUBREDDITS = 6  # shown by name in the live lines
_GAPS_NAMED = 5
_LONGEST = 400  # signs of a sentence that may hold a source's own words


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
        self._shown_at: datetime | None = None
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
        due = self._shown_at is None or status.at - self._shown_at >= self._every
        if not self._quiet and due and status.polled_at is not None:
            self._shown_at = status.at
            typer.echo(line(status), err=True)

    def say(self, sentence: str) -> None:
        """Prints what happened, a source's words made harmless; it stays on the screen."""
        sentence = shown(sentence, _LONGEST)
        if self._shown is not None:
            self._console.print(sentence, highlight=False, markup=False)
        else:
            typer.echo(sentence, err=True)


def line(status: "Status") -> str:
    """All in one line, for a journal."""
    parts = [
        f"{status.seen:,} posts seen",
        f"{status.kept:,} kept",
        f"{status.observations:,} observations "
        f"({status.observations_due:,} due, {status.observations_late:,} late)",
        requests(status),
        lag(status),
    ]
    if status.gap_ids:
        parts.append(f"gaps: {in_words(status.gap_ids, status.gaps_timed)} to ask for")
    if status.gaps_unlisted:
        parts.append(f"gaps that can't be asked for: {status.gaps_unlisted:,}")
    if status.left_out:
        parts.append("left out: " + ", ".join(f"r/{name}" for name in sorted(status.left_out)))
    if status.failing:
        parts.append(f"failing: {shown(status.last_error, _LONGEST)}")
    return "; ".join(part for part in parts if part)


def lines(status: "Status") -> str:
    """The live lines of a terminal."""
    return "\n".join(f"{name:<10}{words}" for name, words in facts(status))


def facts(status: "Status") -> list[tuple[str, str]]:
    """The facts of a status, each with its name."""
    most = sorted(status.subreddits.items(), key=lambda item: -item[1])
    named = ", ".join(f"{name} {count:,}" for name, count in most[:_SUBREDDITS])
    if len(most) > _SUBREDDITS:
        rest = sum(count for _, count in most[_SUBREDDITS:])
        named += f", {len(most) - _SUBREDDITS} more {rest:,}"
    posts = f"{status.seen:,} seen, {status.kept:,} kept" + (f" ({named})" if named else "")
    observed = (
        f"{status.observations:,} taken, {status.observations_due:,} due, "
        f"{status.observations_late:,} late"
    )
    told = [
        ("posts", posts),
        ("observed", observed),
        ("requests", f"{requests(status)}; {lag(status) or 'no poll yet'}"),
    ]
    if status.gap_ids:
        words = in_words(status.gap_ids, status.gaps_timed)
        told.append(("gaps", f"{words} left to ask for"))
    if status.gaps_unlisted:
        words = f"{status.gaps_unlisted:,} can't be asked for: ids had no order"
        told.append(("gaps", words))
    told += [
        ("left out", f"r/{name}: {shown(why, _LONGEST)}")
        for name, why in sorted(status.left_out.items())
    ]
    if status.last_error is not None and status.last_error_at is not None:
        error = shown(status.last_error, _LONGEST)
        told.append(("error", f"{error} ({_when(status)})"))
    return told


def _when(status: "Status") -> str:
    """The time of the last error, with a word on whether it is over."""
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
    """The time since the last poll and the newest post's age; empty before the first poll."""
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


def collector(survey: "Survey") -> "Table":
    """Collectors' accounts of themselves, a line a fact; no lines where none ever ran."""
    from dataclasses import replace

    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for live in survey.live:
        rows = []
        if live.collector is not None:
            # The table of gaps is newer than the account, and says more.
            account = replace(live.collector, gap_ids=0, gaps_unlisted=0)
            label = live.traits.mark and f", {live.traits.label}"
            rows = [("collector", _state(account) + label), *facts(account)]
        for name, words in [*rows, *_gaps(live)]:
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


def _gaps(live: "Collecting") -> list[tuple[str, str]]:
    if not live.gaps and not live.filled and not live.unlisted:
        return []
    left = ""
    if live.gaps:
        left = f", {in_words(live.left, live.traits.timed)} left to ask for"
    if live.gaps and not live.traits.timed:
        left += f" ({-(-live.left // live.traits.batch):,} requests)"
    told = [("gaps", f"{len(live.gaps):,} open{left}; {live.filled:,} filled")]
    for gap in live.gaps[:_GAPS_NAMED]:
        names = ", ".join(f"r/{name}" for name in gap.subreddits.split("+"))
        words = in_words(gap.left, live.traits.timed)
        told.append(("", f"{names}, found {_time(gap.found_at)}: {words}"))
    if len(live.gaps) > _GAPS_NAMED:
        told.append(("", f"and {len(live.gaps) - _GAPS_NAMED:,} more"))
    for gap in live.unlisted[-_GAPS_NAMED:]:
        since, until = (datetime.fromtimestamp(at, UTC) for at in (gap.from_id, gap.to_id))
        span = f"{_time(since)} to {_time(until)}"
        told.append(("", f"r/{gap.subreddits}, {span}: can't be asked for, as ids had no order"))
    return told


def _time(time: datetime | None) -> str:
    return "at a time unknown" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"
