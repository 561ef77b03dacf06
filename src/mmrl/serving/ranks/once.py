"""Values that take a while to work out: each once, whoever asks for it meanwhile."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

_Value = TypeVar("_Value")


class Once:
    """Values by key; safe to ask from several threads, of which one works out a value."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._locks: dict[Hashable, Lock] = {}
        self._kept: dict[Hashable, Any] = {}

    def of(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """The value of a key; what making it raises is raised, and nothing is kept then."""
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if key not in self._kept:
                self._kept[key] = make()
            value: _Value = self._kept[key]
            return value
