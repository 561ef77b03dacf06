"""The sandbox's clock, as a collector's: for simulated days that pass faster than real ones.

`scaled` lets a simulated second pass in less than a real one, as the sandbox's speed says; several
processes may share it. `jump` is for one process: time passes truly while it works, and what it
would sleep is skipped, so that a day takes as long as its work.
"""

import json
import threading
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

from mmrl.errors import InputError
from mmrl.times import from_epoch

MODES = ("scaled", "jump")


class SandboxClock:
    """Tells a sandbox's time.

    Args:
        url: the sandbox's address.
        mode: `scaled` or `jump`.
        ahead: seconds that this clock is wrong by, to try what that does.
    """

    def __init__(self, url: str, mode: str, ahead: float = 0.0) -> None:
        if mode not in MODES:
            raise InputError(f"{mode!r} is no way for time to pass: give one of {MODES}.")
        self._url = url
        self._jump = mode == "jump"
        self._ahead = timedelta(seconds=ahead)
        self._stop = threading.Event()
        self._read(self._ask(None))

    def now(self) -> datetime:
        moment = self._moment + self._speed * (time.monotonic() - self._read_at)
        return from_epoch(moment) + self._ahead

    def sleep(self, seconds: float) -> None:
        if seconds <= 0 or self._stop.is_set():
            return
        if self._jump:
            self._read(self._ask({"advance": seconds}))
        else:
            self._stop.wait(seconds / max(self._speed, 1e-9))

    def stop(self) -> None:
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def _read(self, told: dict[str, Any]) -> None:
        # Both processes read the machine's one monotonic clock.
        self._moment, self._read_at = told["now"], told["monotonic"]
        self._speed = told["speed"]

    def _ask(self, body: object) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self._url}/sandbox/clock", data=data), timeout=60) as answer:
            clock: dict[str, Any] = json.load(answer)
        return clock
