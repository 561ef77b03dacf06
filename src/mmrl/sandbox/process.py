"""A sandbox in a process of its own, so that it takes no time from what is tried against it."""

import json
import subprocess
import sys
from datetime import datetime
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pyarrow as pa

from mmrl.errors import Failure, InputError
from mmrl.times import from_epoch


class SandboxProcess:
    """A running sandbox; a context manager that ends it.

    Attributes:
        url: where it answers.
        start, end: the time its posts are made in.
    """

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self._process = process
        self.url = url
        clock = self._ask("clock")
        self.start, self.end = from_epoch(clock["start"]), from_epoch(clock["end"])

    def __enter__(self) -> "SandboxProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=10)  # waits, and closes the pipes

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return from_epoch(self._ask("clock")["now"])

    def set_clock(self, moment: datetime) -> None:
        """Moves the simulated time."""
        self._ask("clock", {"set": moment.timestamp()})

    def set_faults(self, **faults: Any) -> None:
        """Puts faults in force, see `Faults`; without arguments, none.

        Raises:
            InputError: a fault is unknown or its value is wrong.
        """
        self._ask("faults", faults)

    def truth(self) -> pa.Table:
        """The law's terms of each post, see `World.truth`; for the noise ceiling alone."""
        return pa.table(self._ask("truth"))

    def stats(self) -> dict[str, Any]:
        """Requests counted, see `SandboxServer.stats`."""
        stats: dict[str, Any] = self._ask("stats")
        return stats

    def _ask(self, what: str, body: object | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/sandbox/{what}", data=data)
        try:
            with urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise InputError(f"The sandbox refused that: {error.read().decode()}") from error


def start_process(posts: int = 2_000, seed: int = 0, days: int | None = None) -> SandboxProcess:
    """Starts a sandbox on a free port of loopback and waits until it answers.

    Raises:
        Failure: it did not start; says what it printed.
    """
    command = [sys.executable, "-m", "mmrl", "sandbox", "--port", "0", "--json", "--with-parent"]
    command += ["--posts", str(posts), "--seed", str(seed)]
    command += [] if days is None else ["--days", str(days)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        _, errors = process.communicate()
        raise Failure(f"The sandbox did not start: {errors.strip() or 'it said nothing'}.")
    return SandboxProcess(process, json.loads(line)["url"])
