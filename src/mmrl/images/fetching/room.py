"""Memory for images that are being fetched, counted in bytes."""

from collections.abc import Iterator
from contextlib import contextmanager

MOST_HELD_BYTES = 128 << 20  # of images that one call holds; or a single larger one


class NoRoomError(Exception):
    """Other images fill the memory: this one is fetched later."""


class Room:
    """The bytes of all images of one call: under way, or waiting to be put away.

    An image that is alone always has room, so that every call brings at least one.
    """

    def __init__(self, most: int) -> None:
        """
        Args:
            most: bytes; no single image is larger.
        """
        self._most = most
        self._held = 0

    def require(self) -> None:
        """Lets a request begin.

        Raises:
            NoRoomError: there is no room for a further image.
        """
        if self._held >= self._most:
            raise NoRoomError

    def give_back(self, size: int) -> None:
        """Frees the bytes of an image that is not kept."""
        self._held -= size

    @contextmanager
    def taking(self) -> Iterator["Taking"]:
        """One image's bytes while they come; freed at the end unless they are kept."""
        taking = Taking(self)
        try:
            yield taking
        finally:
            taking.end()

    def take(self, size: int, own: int) -> None:
        if self._held + size > self._most and self._held > own:
            raise NoRoomError
        self._held += size


class Taking:
    """The bytes of one image so far.

    Attributes:
        size: how many they are.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._kept = False
        self.size = 0

    def more(self, size: int) -> None:
        """Takes so many more.

        Raises:
            NoRoomError: other images fill the memory.
        """
        self._room.take(size, self.size)
        self.size += size

    def keep(self) -> None:
        """Leaves them in memory."""
        self._kept = True

    def end(self) -> None:
        """Frees them unless they are kept."""
        if not self._kept:
            self._room.give_back(self.size)
