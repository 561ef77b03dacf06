"""Bodies of answers that a server packed although nobody asked for it."""

import zlib
from collections.abc import Mapping

_PLAIN = ("", "identity")
_GZIP = ("gzip", "x-gzip")
_ANY_HEADER = 32  # for zlib: gzip's or its own
_RAW = -15  # some servers' "deflate" has no header


class PackedBodyError(Exception):
    """A body can't be unpacked; the message says why."""


class Unpacker:
    """Unpacks a body part by part; never gives out more than is asked for."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        """
        Args:
            headers: as `read_headers` gives them.

        Raises:
            PackedBodyError: it is packed in a way that is not read.
        """
        self._packed = headers.get("content-encoding", "").strip().lower()
        if self._packed in _PLAIN:
            self._zlib = None
        elif self._packed in _GZIP or self._packed == "deflate":
            self._zlib = zlib.decompressobj(_ANY_HEADER + 15)
        else:
            raise PackedBodyError(f"its server sent it packed as {self._packed[:40]}")
        self._begun = False

    def part(self, data: bytes, most: int) -> bytes:
        """What a part of the body holds: at most `most` + 1 bytes, so that more shows itself.

        Raises:
            PackedBodyError: it can't be unpacked.
        """
        if self._zlib is None:
            return data
        try:
            return self._unpacked(data, most + 1)
        except zlib.error as error:
            raise PackedBodyError(f"its {self._packed} can't be unpacked: {error}") from error

    def _unpacked(self, data: bytes, most: int) -> bytes:
        assert self._zlib is not None
        try:
            out = self._zlib.decompress(data, most)
        except zlib.error:
            if self._begun or self._packed != "deflate":
                raise
            self._zlib = zlib.decompressobj(_RAW)
            out = self._zlib.decompress(data, most)
        self._begun = True
        return out
