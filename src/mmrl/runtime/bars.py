"""Progress on the terminal: a bar a piece of work, or a line each where there is no terminal.

In a notebook, `watching` gives bars of the notebook's own instead.
"""

import sys
import time

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from mmrl.runtime import logs
from mmrl.runtime.notebook import NotebookBars, in_notebook

_LINE_EVERY = 60.0  # seconds between two lines on the same work where there is no terminal
_MANY = 1_000_000  # beyond this, units are bytes or the like, and a share says more


def watching(
    *, quiet: bool = False, of_bytes: bool = False
) -> "Bars | NotebookBars | logs.LoggedProgress":
    """Bars for where this process runs: a terminal, a file, a notebook; lines where it keeps logs.

    Args:
        quiet: show nothing.
        of_bytes: units are bytes of a download: shown as such, with their rate.
    """
    if logs.are_set_up():
        return logs.LoggedProgress()
    if in_notebook() and not quiet:
        return NotebookBars()
    return Bars(quiet=quiet, of_bytes=of_bytes)


def note(sentence: str, *, quiet: bool = False) -> None:
    """Says a sentence on standard error, beside the bars."""
    if not quiet:
        print(sentence, file=sys.stderr)  # noqa: T201 - a note is for people, as bars are


class _Count(ProgressColumn):
    """`1,250/2,000`, or a share where the units are too many to read."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text(f"{task.completed:,.0f}")
        if task.total > _MANY:
            return Text(f"{task.percentage:.0f}%")
        return Text(f"{task.completed:,.0f}/{task.total:,.0f}")


class _Left(ProgressColumn):
    """The time left, as `2 min left`; empty until a rate is known, and at the end."""

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text("" if left is None or task.finished else f"{_span(left)} left")


class Bars:
    """Implements `Progress` with rich bars on standard error; see `watching`."""

    def __init__(self, *, quiet: bool = False, of_bytes: bool = False) -> None:
        self._of_bytes = of_bytes
        self._console = Console(stderr=True, quiet=quiet)
        self._live = self._console.is_terminal and not quiet
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓[/green]"),
            TextColumn("{task.description:<14}"),
            BarColumn(bar_width=12 if of_bytes else 28),
            *((DownloadColumn(), TransferSpeedColumn()) if of_bytes else (_Count(),)),
            TimeElapsedColumn(),
            _Left(),
            TextColumn("[dim]{task.fields[summary]}"),
            console=self._console,
            disable=not self._live,
        )
        self._task: TaskID | None = None
        self._name = ""
        self._line_at = 0.0

    def __enter__(self) -> "Bars":
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()
        sys.stderr.flush()

    def start(self, name: str, total: int | None) -> None:
        self._name = name
        self._task = self._bars.add_task(name, total=total, summary="")
        self._line_at = time.monotonic() + _LINE_EVERY

    def advance(self, units: int) -> None:
        if self._task is not None:
            self._bars.advance(self._task, units)
            if not self._live and time.monotonic() >= self._line_at:
                self._line_at = time.monotonic() + _LINE_EVERY
                self._line(self._rate(self._bars.tasks[self._task]))

    def finish(self, summary: str) -> None:
        if self._task is not None:
            # A bar with nothing to do, or of unknown length, ends full rather than half-way.
            done = self._bars.tasks[self._task].completed or 1
            self._bars.update(self._task, total=done, completed=done, summary=summary)
        if not self._live:
            self._line(summary)
        self._task = None

    def _rate(self, task: Task) -> str:
        """How far it is, how fast, and the time left."""
        parts = [_Count().render(task).plain]
        if task.speed:
            rate = f"{decimal(int(task.speed))}/s" if self._of_bytes else _per_time(task.speed)
            parts += [rate, _Left().render(task).plain]
        return ", ".join(part for part in parts if part)

    def _line(self, text: str) -> None:
        self._console.print(f"{self._name:<14} {text}", highlight=False, markup=False)


def _per_time(speed: float) -> str:
    """A rate by the second, or by the minute where little is done in one."""
    return f"{speed:,.1f}/s" if speed >= 0.1 else f"{60 * speed:,.1f}/min"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"
