"""Memo of what was made of the contents of drafts: facts, statistics, captions and vectors.

A page asks for several things of the same draft one after another. With a memo its image is decoded
and encoded for the first of them alone. Nothing of it is written to the disk.

Contents are known by a hash: a title is whatever a client sends, and may be long.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from hashlib import blake2b
from threading import Lock
from typing import Any, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_MOST_BYTES = 64 << 20  # some 4,000 of the longest vectors
_ENTRY = 300  # bytes that a value takes besides its own


class ContentMemo:
    """Values of so many bytes together, the longest unused forgotten first; of use to threads.

    Args:
        most_bytes: that all values may take.

    Attributes:
        held: bytes that they take.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most_bytes
        self._lock = Lock()
        self._kept: OrderedDict[bytes, Any] = OrderedDict()
        self.held = 0

    def __len__(self) -> int:
        return len(self._kept)

    def of(
        self, kind: str, keys: Iterable[_Key], make: Callable[[list[_Key]], Sequence[Any]]
    ) -> dict[_Key, Any]:
        """The values of some keys; those that are not remembered are made together, and kept.

        Args:
            kind: what the values are; keys of unlike kinds have nothing to do with each other.
            make: distinct keys, in their order, to a value each; what it raises is raised.
        """
        asked = {key: _name(kind, key) for key in keys}
        with self._lock:
            values = {key: self._kept[name] for key, name in asked.items() if name in self._kept}
            for key in values:
                self._kept.move_to_end(asked[key])
        new = [key for key in asked if key not in values]
        if new:
            values |= zip(new, make(new), strict=True)
            with self._lock:
                for key in new:
                    self._keep(asked[key], values[key])
        return values

    def _keep(self, name: bytes, value: Any) -> None:
        """Remembers a value, and forgets others for it."""
        if name not in self._kept:  # another thread may have made it meanwhile
            self._kept[name] = value
            self.held += _size(value)
        while self.held > self._most:
            _, forgotten = self._kept.popitem(last=False)
            self.held -= _size(forgotten)


def _name(kind: str, key: Hashable) -> bytes:
    """What a key is remembered by: as short for a long text as for a short one."""
    return blake2b(repr((kind, key)).encode(), digest_size=20).digest()


def _size(value: Any) -> int:
    """Bytes of an array, a text, or a record of such."""
    parts = vars(value).values() if hasattr(value, "__dict__") else ()
    return _ENTRY + sum(getattr(part, "nbytes", sys.getsizeof(part)) for part in (value, *parts))
