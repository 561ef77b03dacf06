"""Times, clocks and signals of the commands that ask Reddit and may run for long."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmrl.runtime.clock import Clock
    from mmrl.sources.live import LiveSource
    from mmrl.sources.transport import Transport

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ABORT_AFTER = 3.0  # seconds that a request in flight may still take once told to stop

SandboxTime = Annotated[str | None, typer.Option("--sandbox-clock", hidden=True)]


def span(text: str | None, option: str) -> timedelta | None:
    """A time such as 55m, 2h or 1h30m; None where none was given.

    Raises:
        InputError: it is none.
    """
    from mmrl.errors import InputError

    if text is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not 0 < seconds < 1e9:
        raise InputError(f"{option} is {text!r}, expected a time such as 55m, 2h or 1h30m.")
    return timedelta(seconds=seconds)


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
    """A block that the first SIGTERM or Ctrl-C stops by the clock; a second one ends at once."""
    from mmrl.runtime.clock import Halt

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
