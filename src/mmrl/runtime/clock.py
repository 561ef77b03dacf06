"""The present and waiting, as the service sees them: handed in, so that a simulated clock can drive
everything.
"""

import threading
from datetime import UTC, datetime
from typing import Protocol


class Halt(BaseException):
    """The service was told to end while it waited."""


class Clock(Protocol):
    """Tells the time and lets it pass."""

    def now(self) -> datetime:
        """The present, aware, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits, or less long once `stop` was called."""
        ...

    def stop(self) -> None:
        """Ends every wait, the present one too."""
        ...

    @property
    def stopping(self) -> bool:
        """Was `stop` called?"""
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
