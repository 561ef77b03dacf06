"""Locks of a home that one process at a time holds, until it ends."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmrl.errors import Failure
from mmrl.storage.location import Location


class Taken(Failure):
    """Another process holds the lock; `process` is its number, where known, and its machine."""

    def __init__(self, message: str, process: str) -> None:
        super().__init__(message)
        self.process = process


@contextmanager
def only_one(
    home: str, name: str, message: str, wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Holds the lock `name` of a home within the block.

    In a folder the system lets go of it when the process ends, however it does. In an object
    store its lease ends; see `lease`.

    Args:
        message: said where it is held already; `{process}` in it is by whom.
        wait: is told the message, and the lock is waited for; without it that is an error.

    Raises:
        Taken: it is held.
        Failure: it was lost within the block, in an object store.
    """
    location = Location.of(home)
    held = f"locks/{name}"

    def taken(process: str) -> Taken:
        return Taken(message.format(process=process), process)

    def told(process: str) -> None:
        if wait is not None:
            wait(message.format(process=process))

    if location.is_local:

        def busy(process: str) -> None:
            if wait is None:
                raise taken(process)
            told(process)

        with locked(location.path / held, busy):
            yield
        return
    from mmrl.storage.bucket import Bucket
    from mmrl.storage.lease import leased

    with leased(Bucket.of(location), held, taken, None if wait is None else told):
        yield


@contextmanager
def locked(path: Path, busy: Callable[[str], None]) -> Iterator[None]:
    """Holds a file as a lock within the block, after waiting for whoever holds it.

    Args:
        busy: is told the process that holds it, where known; what it raises ends the waiting.
    """
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except BlockingIOError:
            held = False
        if not held:
            file.seek(0)
            busy(file.read().strip() or "unknown")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
