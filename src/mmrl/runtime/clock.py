"""Clocks: the present and waiting, handed in so that a simulated clock can drive the collector."""

import threading
from datetime import UTC, datetime
from typing import Protocol


class Halt(BaseException):
    """The clock was stopped while something waited for it."""


class Clock(Protocol):
    """Tells the time, and waits."""

    def now(self) -> datetime:
        """The present, aware, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits, at most until `stop` is called."""
        ...

    def stop(self) -> None:
        """Ends the present wait, and every later one at once."""
        ...

    @property
    def stopping(self) -> bool:
        """True once `stop` was called."""
        ...


class SystemClock:
    """The machine's own clock."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self._stop.wait(seconds)

    def stop(self) -> None:
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()
