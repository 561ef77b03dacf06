"""How work tells whoever watches how far it is; the command line shows bars, tests watch nothing.

Work is announced with its size, advanced, and finished; a size of None means unknown.
"""

from typing import Protocol


class Progress(Protocol):
    """Watches one piece of work after another."""

    def start(self, name: str, total: int | None) -> None:
        """A piece of work begins, of `total` units."""
        ...

    def advance(self, units: int) -> None:
        """Some of it is done, and kept."""
        ...

    def finish(self, summary: str) -> None:
        """It ended; a few words on how."""
        ...


class Silent:
    """Nobody watches."""

    def start(self, name: str, total: int | None) -> None: ...

    def advance(self, units: int) -> None: ...

    def finish(self, summary: str) -> None: ...
