"""Progress of work, told to whoever watches: bars on the command line, nobody in tests.

A piece of work starts with its size, advances, and finishes. A size of None is an unknown one.
"""

from typing import Protocol


class Progress(Protocol):
    """Watches one piece of work after another."""

    def start(self, name: str, total: int | None) -> None:
        """A piece of work begins, of `total` units."""
        ...

    def advance(self, units: int) -> None:
        """So many units more are done, and kept."""
        ...

    def finish(self, summary: str) -> None:
        """The piece of work ended; `summary` says how in a few words."""
        ...


class Silent:
    """Progress that nobody watches."""

    def start(self, name: str, total: int | None) -> None: ...

    def advance(self, units: int) -> None: ...

    def finish(self, summary: str) -> None: ...
