"""Pictures of drafts, in memory alone: reload and back find them, and they are soon forgotten."""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from mmrl.images.image import ImageFacts

MOST_BYTES = 300_000_000  # of all pictures together
MOST_SECONDS = 2 * 3600.0  # since a picture was last asked for


@dataclass(frozen=True)
class Picture:
    """A picture that was probed: `name` is whatever the client called it."""

    id: str
    name: str
    data: bytes
    facts: ImageFacts


class Pictures:
    """The pictures of all drafts, the longest unused forgotten first.

    An id can't be guessed: it is a hash of the content with a key of this process.
    """

    def __init__(
        self, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = monotonic
    ) -> None:
        self._key = secrets.token_bytes(32)
        self._most_bytes = most_bytes
        self._clock = clock
        self._lock = Lock()
        self._kept: OrderedDict[str, tuple[float, Picture]] = OrderedDict()
        self._bytes = 0

    def add(self, name: str, data: bytes, facts: ImageFacts) -> Picture:
        """Keeps a picture; the same content gets the same id."""
        id = hashlib.blake2b(data, digest_size=12, key=self._key).hexdigest()
        with self._lock:
            self._forget(id)
            picture = Picture(id, name, data, facts)
            self._kept[id] = (self._clock(), picture)
            self._bytes += len(data)
            self._shrink()
        return picture

    def get(self, id: str) -> Picture | None:
        """A picture; None where it is forgotten."""
        with self._lock:
            self._shrink()
            entry = self._kept.get(id)
            if entry is None:
                return None
            self._kept[id] = (self._clock(), entry[1])
            self._kept.move_to_end(id)
            return entry[1]

    def _forget(self, id: str) -> None:
        entry = self._kept.pop(id, None)
        if entry is not None:
            self._bytes -= len(entry[1].data)

    def _shrink(self) -> None:
        oldest = self._clock() - MOST_SECONDS
        for id, (used, _) in list(self._kept.items()):
            if used >= oldest and self._bytes <= self._most_bytes:
                return
            self._forget(id)
