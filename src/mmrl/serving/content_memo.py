"""Memo of what was made of the contents of drafts: facts, statistics, captions and vectors.

A page asks for several things of the same draft one after another. With a memo its image is decoded
and encoded for the first of them alone. Nothing of it is written to the disk.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from threading import Lock
from typing import Any, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_MOST = 4_096  # vectors and the like; 16 KB each at the most


class ContentMemo:
    """Up to `most` values, the longest unused forgotten first; safe to use from several threads."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, Hashable], Any] = OrderedDict()

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
        asked = list(dict.fromkeys(keys))
        with self._lock:
            found = {key: self._kept[kind, key] for key in asked if (kind, key) in self._kept}
            for key in found:
                self._kept.move_to_end((kind, key))
        new = [key for key in asked if key not in found]
        if new:
            found |= zip(new, make(new), strict=True)
            with self._lock:
                self._kept |= {(kind, key): found[key] for key in new}
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return found
