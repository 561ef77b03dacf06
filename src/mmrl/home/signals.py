"""Clocks and signals of work that asks Reddit and may run for long."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmrl.runtime.clock import Clock
    from mmrl.sources.live import LiveSource
    from mmrl.sources.transport import Transport

_ABORT_AFTER = 3.0  # seconds that a request in flight may still take once told to stop


def clock(requested: str | None, source: "LiveSource", otherwise: "Clock") -> "Clock":
    """The machine's clock; a sandbox's where that was asked for, with an error in seconds.

    Raises:
        InputError: it was asked for, and this is no sandbox.
    """
    from mmrl.errors import InputError
    from mmrl.sandbox.clock import SandboxClock
    from mmrl.sources.kinds import SIMULATED_NAMES

    if requested is None:
        return otherwise
    if source.name not in SIMULATED_NAMES:
        raise InputError("--sandbox-clock goes with a sandbox, which this is not.")
    mode, _, ahead = requested.partition(":")
    return SandboxClock(source.url, mode, float(ahead or 0))


@contextmanager
def stopped_by_signals(clock: "Clock", transports: "list[Transport]") -> Iterator[None]:
    """A block that the first SIGTERM or Ctrl-C stops by the clock; a second one ends at once.

    Only Python's main thread is told of signals: in another one the block is left alone.
    """
    from mmrl.runtime.clock import Halt

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        if clock.stopping:
            os._exit(128 + number)
        clock.stop()
        signal.setitimer(signal.ITIMER_REAL, _ABORT_AFTER, _ABORT_AFTER)

    def abort(number: int, frame: object) -> None:
        if any(transport.asking for transport in transports):
            raise Halt

    ours = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGALRM: abort}
    before = {number: signal.signal(number, handler) for number, handler in ours.items()}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
