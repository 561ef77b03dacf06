"""Dumps read by several processes: one unpacks, others parse, this one takes the rows in order.

The process that unpacks hands each block to the next one that parses, in turn, and in the same turn
this one takes what came of them. Pipes hold little, so whoever is ahead waits. When one is killed
its pipes end, and with them the others. They are not `multiprocessing`'s: those would import the
main module of whoever imports mmrl, and outlive a parent that is killed.
"""

import fcntl
import gc
import os
import pickle
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import IO

from mmrl.errors import Failure, InputError
from mmrl.runtime.lean import keep_away
from mmrl.sources.files.dumps.block import Part, read_block
from mmrl.sources.files.dumps.reading import Plan, Reached, blocks

_MODULE = "mmrl.sources.files.dumps.processes"
_MOST = 8  # processes that parse: who writes the rows does not keep up with more
_AHEAD = 8  # parts that are taken before they are asked for; a few megabytes each
_PIPE_BYTES = 1 << 20
_MOST_BYTES = 1 << 31  # of a message
_GARBAGE = 500_000  # objects made between two searches for circles: rows hold none
_SIZE = struct.Struct("<Q")  # in front of each message
Result = tuple[Part, Reached]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_beside(plan: Plan) -> Generator[Result, None, None]:
    """Reads all files in processes of their own, on all cores.

    Raises:
        InputError: a file can't be read (any further); what came before is good.
        Failure: a process was killed.
    """
    with _Processes(plan, min(cores(), _MOST)) as processes:
        yield from processes.results()


class _Processes:
    """The processes; a context manager that ends them."""

    def __init__(self, plan: Plan, count: int) -> None:
        self._parsing = [_started("parse", subprocess.PIPE) for _ in range(count)]
        pipes = [_pipe(process.stdin) for process in self._parsing]
        plan_end, own_end = os.pipe()
        numbers = [plan_end, *(pipe.fileno() for pipe in pipes)]
        self._unpacking = _started("unpack", None, *numbers)
        os.close(plan_end)
        for pipe in pipes:
            pipe.close()
        self._own = os.fdopen(
            own_end, "wb"
        )  # the other end sees by it whether this process is there
        with suppress(BrokenPipeError):
            pickle.dump(plan, self._own)
            self._own.flush()
        self._ended = False
        self._taken: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._taking = threading.Thread(target=self._take, name="dump", daemon=True)

    def __enter__(self) -> "_Processes":
        self._taking.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended = True
        for process in (self._unpacking, *self._parsing):
            process.kill()
            process.wait()
        while self._taking.is_alive():
            with suppress(queue.Empty):
                self._taken.get(timeout=0.05)
        with suppress(BrokenPipeError):
            self._own.close()
        for process in self._parsing:
            _pipe(process.stdout).close()

    def results(self) -> Iterator[Result]:
        """What came of the blocks, in order."""
        while (message := self._taken.get()) is not None:
            result: Result | Exception | None = pickle.loads(message)  # noqa: S301
            if result is None:
                return
            if isinstance(result, Exception):
                raise result
            yield result
        raise Failure("A process that reads the dump was killed (out of memory?): import it again.")

    def _take(self) -> None:
        """Takes messages from the processes in turn, until one of them ends."""
        outputs = [_pipe(process.stdout) for process in self._parsing]
        turn = 0
        try:
            while not self._ended and (message := _received(outputs[turn])) is not None:
                if message:
                    self._taken.put(message)
                else:  # the end of a block
                    turn = (turn + 1) % len(outputs)
        finally:  # whatever ended it, nobody waits for more
            self._taken.put(None)


def _started(role: str, stdin: int | None, *numbers: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", _MODULE, role, *map(str, numbers)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    stdout = subprocess.PIPE if role == "parse" else subprocess.DEVNULL
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=stdout,
        pass_fds=numbers,
        env=environment,
        start_new_session=True,  # Ctrl-C is for who started it, which ends it
    )


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    """A process's pipe, made to hold more where the system lets it."""
    assert end is not None
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # the user has many pipes
            fcntl.fcntl(end.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return end


def _unpack(targets: list[IO[bytes]], plan: Plan) -> None:
    """Hands out the blocks of all files, and last how they ended: an error, or None."""
    end: Exception | None = None
    turn = 0
    try:
        for number, first, block in blocks(plan):
            work = number, first, plan.files[number][1], replace(block, data=b"")
            _send(targets[turn], pickle.dumps(work))
            _send(targets[turn], block.data)
            turn = (turn + 1) % len(targets)
    except InputError as error:
        end = error
    _send(targets[turn], pickle.dumps(end))


def _parse(source: IO[bytes], target: IO[bytes]) -> None:
    """Answers each block with its parts and an empty message, and hands on how the files ended."""
    while (message := _received(source)) is not None:
        work = pickle.loads(message)  # noqa: S301 - from the process that unpacks
        if not isinstance(work, tuple):
            _send(target, message)
            return
        number, first, reading, block = work
        data = _received(source)
        if data is None:
            return
        reached = Reached.with_block(number, block)
        for part in read_block(replace(block, data=data), reading, first=first):
            _send(target, pickle.dumps((part, reached)))
        _send(target, b"")


def _send(target: IO[bytes], message: bytes) -> None:
    target.write(_SIZE.pack(len(message)))
    target.write(message)
    target.flush()


def _received(source: IO[bytes]) -> bytes | None:
    """The next message; None where there is no more, or it is cut off."""
    head = source.read(_SIZE.size)
    if len(head) < _SIZE.size:
        return None
    (size,) = _SIZE.unpack(head)
    if size > _MOST_BYTES:  # something else was written there
        return None
    message = source.read(size)
    return message if len(message) == size else None


def _end_with(starter: IO[bytes]) -> None:
    """Ends this process once the other end of a pipe is gone, even while it waits for its input."""
    starter.read()
    os._exit(1)


def _main(role: str, *numbers: str) -> None:
    """What one of the processes does; `unpack` is told where its plan and its pipes are."""
    gc.set_threshold(_GARBAGE)
    with suppress(BrokenPipeError):
        if role == "parse":
            keep_away()  # pandas, which Arrow imports with its first array, is a second and 60 MB
            target = os.fdopen(os.dup(1), "wb")
            os.dup2(2, 1)  # whatever a library prints is no message
            _parse(sys.stdin.buffer, target)
        else:
            own, *targets = map(int, numbers)
            starter = os.fdopen(own, "rb")
            plan = pickle.load(starter)  # noqa: S301 - from the process that started this one
            threading.Thread(target=_end_with, args=(starter,), daemon=True).start()
            _unpack([os.fdopen(target, "wb") for target in targets], plan)


if __name__ == "__main__":
    _main(*sys.argv[1:])
