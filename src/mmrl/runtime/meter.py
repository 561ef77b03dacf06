"""Wall-clock time and peak memory of a piece of work."""

import threading
import time

import psutil

_EVERY_SECONDS = 0.05


class Meter:
    """Measures a `with` block.

    Attributes:
        seconds: wall-clock time, once the block has ended.
        peak_bytes: the largest resident memory seen, sampled every 50 ms; the whole process's,
            so what was held before the block counts too.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.peak_bytes = 0
        self._process = psutil.Process()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Meter":
        self._started = time.perf_counter()
        self.peak_bytes = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()
        self.seconds = time.perf_counter() - self._started

    def _sample(self) -> None:
        while not self._done.wait(_EVERY_SECONDS):
            self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)
