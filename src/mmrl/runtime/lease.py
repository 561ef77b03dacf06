"""Locks in an object store: an object that its holder writes again and again while it lives.

The object is made and replaced by conditional puts alone, so of two processes one holds it. Its
holder writes it anew every `BEAT` seconds. One that stood still for `LEASE` seconds, by the clock
of whoever waits for it, belongs to a process that was killed or cut off, and is taken over. On one
machine a killed process is known at once. A holder that finds its lock taken, or can't reach the
store for so long that it may be, is interrupted.
"""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from mmrl.errors import Failure, StorageError
from mmrl.runtime.bucket import Bucket, Version

LEASE = 60.0  # seconds
BEAT = 15.0
_POLL = 1.0  # seconds between two looks at a lock that another one holds
_FREE = b"{}"  # what a lock says that nobody holds


@contextmanager
def leased(
    bucket: Bucket, name: str, taken: Callable[[str], Failure], wait: Callable[[str], None] | None
) -> Iterator[None]:
    """Holds the lock `name` within the block.

    Args:
        taken: the error where a living process holds it; is given that process in words.
        wait: is told of the process that holds it, and the lock is waited for; None raises the
            error, once that process has shown that it lives.

    Raises:
        Failure: it was lost within the block: another process may hold it.
    """
    holder = _Holder(bucket, name)
    holder.version = _acquire(bucket, name, holder.body(), taken, wait)
    holder.start()
    try:
        yield
    except KeyboardInterrupt:
        if not holder.lost:
            raise
    finally:
        holder.stop()
    if holder.lost:
        raise Failure(
            f"The lock {name} of {bucket.location} was lost: its store could not be reached for "
            f"{LEASE:.0f} seconds, or this process stood still. Run the same command again; it "
            "goes on where it was."
        )


class _Holder:
    """One holding of a lock, written anew from a thread of its own."""

    def __init__(self, bucket: Bucket, name: str) -> None:
        self._bucket, self._name = bucket, name
        self._who = {**_this_process(), "holding": uuid4().hex}
        self._beats = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lock {name}", daemon=True)
        self.version: Version = {}
        self.lost = False

    def body(self) -> bytes:
        """What the lock says; another one each time."""
        self._beats += 1
        return json.dumps({**self._who, "beats": self._beats}).encode()

    def start(self) -> None:
        """From now on it is written anew."""
        self._thread.start()

    def stop(self) -> None:
        """Lets the lock go; where the store does not answer, its lease ends by itself."""
        self._ended.set()
        self._thread.join()
        if not self.lost:
            with suppress(StorageError):
                self._bucket.replace(self._name, _FREE, self.version)

    def _keep(self) -> None:
        kept = time.monotonic()
        while not self._ended.wait(BEAT):
            version: Version | None = self.version
            with suppress(StorageError):
                version = self._bucket.replace(self._name, self.body(), self.version)
                if version is not None:
                    self.version, kept = version, time.monotonic()
            if version is None or time.monotonic() - kept > LEASE:
                self.lost = True
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return


def _acquire(
    bucket: Bucket,
    name: str,
    mine: bytes,
    taken: Callable[[str], Failure],
    wait: Callable[[str], None] | None,
) -> Version:
    seen: Version | None = None  # the last version met, at `since`
    since, told = 0.0, False
    while True:
        found = bucket.read_version(name)
        if found is None:
            version = bucket.create(name, mine)
            if version is not None:
                return version
            continue
        says, version = _parse(found[0]), found[1]
        alive = _is_alive(says)
        still = version == seen and time.monotonic() - since > LEASE
        if alive is False or (alive is None and still):
            got = bucket.replace(name, mine, version)
            if got is not None:
                return got
            continue
        if wait is None and (alive or (seen is not None and version != seen)):
            raise taken(_in_words(says))
        if wait is not None and not told:
            wait(_in_words(says))
            told = True
        if version != seen:
            seen, since = version, time.monotonic()
        time.sleep(min(_POLL, LEASE / 4))


def _parse(data: bytes) -> Mapping[str, Any]:
    try:
        says = json.loads(data)
    except ValueError:
        return {}
    return says if isinstance(says, dict) else {}


def _in_words(says: Mapping[str, Any]) -> str:
    process, host = says.get("process", "unknown"), says.get("host", "unknown")
    return str(process) if host == socket.gethostname() else f"{process} on {host}"


def _is_alive(says: Mapping[str, Any]) -> bool | None:
    """Whether the process that holds a lock lives; None where only its lease can tell."""
    import psutil

    if "holding" not in says:
        return False
    here = _this_process()
    if here["kernel"] is None or says.get("kernel") != here["kernel"]:
        return None
    try:
        began = psutil.Process(int(says["process"])).create_time()
        return bool(abs(began - float(says["began"])) < 1)
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def _this_process() -> dict[str, Any]:
    import psutil

    return {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "kernel": _kernel(),
        "began": psutil.Process().create_time(),
    }


def _kernel() -> str | None:
    """Names the running kernel and the numbering of processes; None where it can't be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None
