"""Locks in an object store: an object that its holder writes again and again while it lives.

The object is made and replaced by conditional puts alone, so of two processes one holds it. Its
holder writes it anew every `BEAT` seconds. One that stood still for `LEASE` seconds, by the clock
of whoever waits for it, belongs to a process that was killed or cut off, and is taken over. On one
machine a killed process is known at once. A holder that finds its lock taken, or can't reach the
store for so long that it may be, is interrupted; once only, however many locks it loses.
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
from mmrl.storage.bucket import Bucket, Version

LEASE = 60.0  # seconds
BEAT = 15.0
_POLL = 1.0  # seconds between two looks at a lock that another one holds
_FREE = b"{}"  # what a lock says that nobody holds
_TRIES = 3  # to write a lock that a beat changed whose answer was lost
_guard = threading.Lock()
_held: dict[str, bool] = {}  # this process's holdings: whether it was interrupted while they lasted


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
    holder.begin(taken, wait)
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
    """One holding of a lock, written anew from a thread of its own while another one looks on."""

    def __init__(self, bucket: Bucket, name: str) -> None:
        self._bucket, self._name = bucket, name
        self._holding = uuid4().hex
        self._who = {**_this_process(), "holding": self._holding}
        self._beats = 0
        self._kept = 0.0  # when the newest beat that was done began
        self._version: Version = {}
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=f"lock {name}", daemon=True)
            for work in (self._keep, self._watch)
        ]
        self.lost = False

    def begin(self, taken: Callable[[str], Failure], wait: Callable[[str], None] | None) -> None:
        """Takes the lock; from now on it is written anew."""
        with _guard:
            _held[self._holding] = False
        try:
            mine = self._body()
            self._version, self._kept = _acquire(self._bucket, self._name, mine, taken, wait)
        except BaseException:
            self._forget()
            raise
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets the lock go; where the store does not answer, its lease ends by itself."""
        self._ended.set()
        try:
            if not self.lost:  # else a request may be under way that is never answered
                for thread in self._threads:
                    thread.join()
                with suppress(StorageError):
                    self._write(_FREE)
        finally:
            self._forget()

    def _forget(self) -> None:
        with _guard:
            del _held[self._holding]

    def _body(self) -> bytes:
        """What the lock says; another one each time."""
        self._beats += 1
        return json.dumps({**self._who, "beats": self._beats}).encode()

    def _keep(self) -> None:
        while not self._ended.wait(BEAT):
            began = time.monotonic()
            with suppress(StorageError):
                if not self._write(self._body()):
                    self._lose()
                    return
                self._kept = began

    def _watch(self) -> None:
        """Loses the lock in time, too, where the store leaves a beat without an answer."""
        while not self._ended.wait(max(self._kept + LEASE - time.monotonic(), 0.0)):
            if time.monotonic() - self._kept >= LEASE:
                self._lose()
                return

    def _write(self, data: bytes) -> bool:
        """Writes the lock; False where it is another one's."""
        for _ in range(_TRIES):
            version = self._bucket.replace(self._name, data, self._version)
            if version is not None:
                self._version = version
                return True
            current = self._bucket.read_version(self._name)
            if current is None or _parse(current[0]).get("holding") != self._holding:
                return False
            self._version = current[1]  # of a beat that was done, though its answer was lost
        return False

    def _lose(self) -> None:
        with _guard:
            self.lost = True
            if not self._ended.is_set() and not _held[self._holding]:
                _held.update(dict.fromkeys(_held, True))
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _acquire(
    bucket: Bucket,
    name: str,
    mine: bytes,
    taken: Callable[[str], Failure],
    wait: Callable[[str], None] | None,
) -> tuple[Version, float]:
    """The version written, and when that began."""
    seen: Version | None = None  # the last version met, at `since`
    since, told = 0.0, False
    while True:
        current, began = bucket.read_version(name), time.monotonic()
        if current is None:
            made = bucket.create(name, mine)
            if made is not None:
                return made, began
            continue
        says, version = _parse(current[0]), current[1]
        alive = _is_alive(says)
        still = version == seen and time.monotonic() - since > LEASE
        if alive is False or still:
            made = bucket.replace(name, mine, version)
            if made is not None:
                return made, began
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
    """Whether the holding of a lock lasts; None where only its lease can tell."""
    if "holding" not in says:
        return False
    here = _this_process()
    if here["kernel"] is None or says.get("kernel") != here["kernel"] or "ticks" not in says:
        return None
    if (says.get("process"), says["ticks"]) == (here["process"], here["ticks"]):
        return str(says["holding"]) in _held  # else the store did not hear that it was let go
    return says["ticks"] is not None and _ticks(says.get("process")) == says["ticks"]


def _this_process() -> dict[str, Any]:
    return {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "kernel": _kernel(),
        "ticks": _ticks(os.getpid()),
    }


def _ticks(process: object) -> int | None:
    """When a process began, in ticks since the kernel did, which no clock moves; None: it ended."""
    try:
        path = Path(f"/proc/{int(str(process))}/stat")
        state, *numbers = path.read_text(errors="replace").rpartition(")")[2].split()
        return None if state in "ZX" else int(numbers[18])
    except (OSError, ValueError, IndexError):
        return None


def _kernel() -> str | None:
    """Names the running kernel and the numbering of processes; None where it can't be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None
