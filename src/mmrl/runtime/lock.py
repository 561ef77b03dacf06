"""Locks: files in the home that one process at a time holds, until it ends."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmrl.errors import Failure
from mmrl.runtime.location import Location


class Taken(Failure):
    """Another process holds the lock; `process` is its number, where known."""

    def __init__(self, message: str, process: str) -> None:
        super().__init__(message)
        self.process = process


@contextmanager
def only_one(
    home: str, name: str, message: str, wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Holds the lock `name` of a home within the block.

    A home in an object store has no locks: two collectors on one do no harm there, as the
    catalog's keys keep every post once, but spend requests twice.

    Args:
        message: said where it is held already; `{process}` in it is by whom.
        wait: is told the message, and the lock is waited for; without it that is an error.

    Raises:
        Taken: it is held.
    """
    path = Location.of(home).file("locks", name)
    if path is None:
        yield
        return
    import fcntl

    path.parent.mkdir(exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            process = file.read().strip() or "unknown"
            busy = message.format(process=process)
            if wait is None:
                raise Taken(busy, process) from None
            wait(busy)
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
