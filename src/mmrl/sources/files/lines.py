"""Lines of large files, plain or Zstandard, read in bounded memory."""

from collections.abc import Iterator
from pathlib import Path

import zstandard

from mmrl.errors import InputError

# Bytes a step. Zstandard's smallest block has 4 bytes and unpacks to 128 KiB, so this is also what
# bounds the memory that a file made to burst can take: 32 MiB. Larger steps are not faster.
_READ = 1 << 10
_LONGEST_LINE = 1 << 26  # 64 MiB; the longest submissions have a few hundred kilobytes
_MAX_WINDOW = 1 << 31  # Pushshift's dumps are packed with --long=31
_ZSTD = b"\x28\xb5\x2f\xfd"
_FOREIGN = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}


class BrokenOffError(InputError):
    """A file ends or breaks in the middle; the lines before that are good and were handed over."""


class LineStream:
    """The lines of a file, in order, without their line breaks.

    Attributes:
        size: the file's bytes on disk.
        position: how many of them have been read.

    Raises:
        InputError: the file is missing, unreadable, or packed in another way.
        BrokenOffError: raised while iterating, after the last whole line before the break.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = existing(path).stat().st_size
        self.position = 0
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise InputError(f"{path} can't be read: {error.strerror}.") from None

    def __enter__(self) -> "LineStream":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        rest: list[bytes] = []  # the pieces of a line whose end has not come yet
        held = 0
        for piece in self._pieces():
            first, *others = piece.split(b"\n")
            rest.append(first)
            held += len(first)
            if others:
                yield b"".join(rest)
                yield from others[:-1]
                rest, held = [others[-1]], len(others[-1])
            if held > _LONGEST_LINE:
                raise InputError(
                    f"{self.path} has no line break within {_LONGEST_LINE >> 20} MiB: expected one "
                    "JSON object, or one row, a line."
                )
        if held:
            yield b"".join(rest)

    def _pieces(self) -> Iterator[bytes]:
        """The file's content, unpacked, in pieces."""
        start = self._read()
        for magic, name in _FOREIGN.items():
            if start.startswith(magic):
                raise InputError(
                    f"{self.path} is packed with {name}: unpack it, or pack it with zstd."
                )
        if start.startswith(_ZSTD):
            yield from self._unpacked(start)
            return
        if self.path.suffix == ".zst" and start:
            raise InputError(f"{self.path} is not Zstandard, though its name says so.")
        while start:
            yield start
            start = self._read()

    def _unpacked(self, packed: bytes) -> Iterator[bytes]:
        unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        frame = unpacker.decompressobj()
        begun = False
        try:
            while packed:
                yield frame.decompress(packed)
                begun = not frame.eof
                if frame.eof:  # dumps may be several frames in a row
                    packed = frame.unused_data or self._read()
                    frame = unpacker.decompressobj()
                else:
                    packed = self._read()
        except zstandard.ZstdError as error:
            raise BrokenOffError(f"{self.path} is damaged ({error}): get it again.") from None
        if begun:
            raise BrokenOffError(
                f"{self.path} ends in the middle (a truncated download?): get it again."
            )

    def _read(self) -> bytes:
        try:
            piece = self._file.read(_READ)
        except OSError as error:
            raise BrokenOffError(f"{self.path} can't be read on: {error.strerror}.") from None
        self.position += len(piece)
        return piece


def existing(path: Path) -> Path:
    """The path, if it is a file.

    Raises:
        InputError: it is not.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: give the file in it.")
    if not path.is_file():
        raise InputError(f"There is no file {path}: check its name, relative to {Path.cwd()}.")
    return path
