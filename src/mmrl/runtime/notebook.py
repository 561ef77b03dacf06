"""Progress in a notebook: a line of HTML a piece of work, with a bar, that changes in place."""

import sys
import time
from html import escape
from typing import Any

from mmrl.runtime.foreign_text import shown

_EVERY = 0.2  # seconds between two changes of a line
_LONGEST = 200


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel; imports nothing."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


class NotebookBars:
    """Implements `Progress` with what IPython displays."""

    def __init__(self) -> None:
        self._line: Any = None
        self._name, self._total, self._done = "", None, 0  # type: str, int | None, int
        self._next = 0.0

    def __enter__(self) -> "NotebookBars":
        return self

    def __exit__(self, *error: object) -> None:
        self._line = None

    def start(self, name: str, total: int | None) -> None:
        from IPython.display import HTML, display

        self._name, self._total, self._done = name, total, 0
        self._line = display(HTML(self._html("")), display_id=True)
        self._next = time.monotonic() + _EVERY

    def advance(self, units: int) -> None:
        self._done += units
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self._update("")

    def finish(self, summary: str) -> None:
        # What had nothing to do, or was of unknown length, ends full rather than half-way.
        self._total = self._done = self._done or 1
        self._update(summary)
        self._line = None

    def _update(self, summary: str) -> None:
        from IPython.display import HTML

        if self._line is not None:
            self._line.update(HTML(self._html(summary)))

    def _html(self, summary: str) -> str:
        size = f' max="{self._total}"' if self._total else ""
        value = f' value="{self._done}"' if self._total else ""
        words = shown(summary or f"{self._done:,} of {self._total or '?'}", _LONGEST)
        name = escape(shown(self._name, _LONGEST))
        return f"<div>{name} <progress{size}{value}></progress> {escape(words)}</div>"
