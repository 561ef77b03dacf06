"""Locks of a home that one process at a time holds, until it ends."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmrl.errors import Failure
from mmrl.runtime.location import Location


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
    if location.is_local:
        with _locked(location.path / held, message, wait):
            yield
        return
    from mmrl.runtime.bucket import Bucket
    from mmrl.runtime.lease import leased

    def taken(process: str) -> Taken:
        return Taken(message.format(process=process), process)

    def told(process: str) -> None:
        if wait is not None:
            wait(message.format(process=process))

    with leased(Bucket.of(location), held, taken, None if wait is None else told):
        yield


@contextmanager
def _locked(path: Path, message: str, wait: Callable[[str], None] | None) -> Iterator[None]:
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
