"""Values that take a while to read, told again for a while without being read anew."""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Remembered(Generic[_Value]):
    """A value, read again once it is older than some seconds; safe to ask from several threads."""

    def __init__(
        self,
        read: Callable[[], _Value],
        seconds: float = 60.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._kept: tuple[float, _Value] | None = None

    def __call__(self) -> _Value:
        """The value; raises what reading it raises."""
        with self._lock:
            if self._kept is None or self._clock() - self._kept[0] > self._seconds:
                self._kept = (self._clock(), self._read())
            return self._kept[1]
