"""Waiting for what comes about in another thread or process."""

import time
from collections.abc import Callable
from subprocess import Popen
from typing import Any

from tests.support.command import HANGS


def eventually(
    condition: Callable[[], object], process: "Popen[Any] | None" = None, pause: float = 0.02
) -> None:
    """Returns when the condition holds, however long the machine takes.

    Args:
        process: that brings it about; it fails at once when that ends without.
    """
    until = time.monotonic() + HANGS
    while not condition():
        if process is not None and process.poll() is not None and not condition():
            raise AssertionError(f"The process ended before: {process.communicate()}")
        assert time.monotonic() < until, "It never came about."
        time.sleep(pause)
