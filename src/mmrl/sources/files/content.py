"""Content of files in pieces of bounded size: plain, or packed by zstd, gzip, bzip2 or xz."""

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from mmrl.errors import InputError
from mmrl.runtime.foreign_text import shown

STDIN = Path("-")
# Bytes a step. Zstandard's smallest block has 4 bytes and unpacks to 128 KiB, so this is also what
# bounds the memory that a file made to burst can take: 32 MiB. Larger steps are not faster.
_READ = 1 << 10
_PIECE = 1 << 17  # bytes a step of plain files, and of the packers that can be asked for so many
_APART = 1 << 20  # unpacked bytes between two entries that are kept in mind
_MAX_WINDOW = 1 << 31  # Pushshift's dumps are packed with --long=31
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # the last three bytes of the mark of a frame to be passed over
_PACKERS: dict[bytes, tuple[str, Any]] = {
    b"\x1f\x8b": ("gzip", lambda raw: gzip.GzipFile(fileobj=raw)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ": ("xz", lzma.LZMAFile),
}
_SUFFIXES = {".zst": "Zstandard", ".gz": "gzip", ".bz2": "bzip2", ".xz": "xz"}
_FOREIGN = {  # files that are no text, by how they begin
    b"PK\x03\x04": "a zip archive or an Excel workbook: unpack it, or save its sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save its sheet as CSV",
    b"PAR1": "a Parquet file: import it with `mmrl import table`",
    b"\xff\xd8\xff": "a JPEG image: give the table or the dump, and its folder with --images",
    b"\x89PNG": "a PNG image: give the table or the dump, and its folder with --images",
    b"GIF8": "a GIF image: give the table or the dump, and its folder with --images",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database: export its table as CSV",
    b"Rar!": "a RAR archive: unpack it",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"ARROW1": "an Arrow file: save it as Parquet",
}
_PAGE = (b"<!doctype", b"<html", b"<?xml")


class BrokenOffError(InputError):
    """A file ends or breaks in the middle; what came before that is good and was handed over."""


@dataclass(frozen=True)
class Entry:
    """A place of a file where unpacking can begin.

    Attributes:
        packed: bytes on disk before it.
        text: unpacked bytes before it.
    """

    packed: int = 0
    text: int = 0


BEGINNING = Entry()


class Content:
    """The content of a file, or of standard input, unpacked.

    Args:
        entry: where to begin; what comes before is not unpacked.

    Attributes:
        name: the file's name, as people are told it.
        entry: where it begins.
        position: how many of the bytes on disk have been read.

    Raises:
        InputError: the file is missing or unreadable, or is no text.
        BrokenOffError: raised while iterating, after the last piece before the break.
    """

    def __init__(self, path: Path, entry: Entry = BEGINNING) -> None:
        self.name = file_name(path)
        self.path = path
        self.position = 0
        self.entry = entry
        self._frames: deque[Entry] = deque([entry], 256)  # entries, the newest last
        self._plain = False
        if path == STDIN:
            self._file: BinaryIO = sys.stdin.buffer
        else:
            try:
                self._file = existing(path).open("rb")
            except OSError as error:
                raise InputError(f"{path} can't be read: {error.strerror}.") from None
        self._peeked = b""
        self._rest: Iterator[bytes] | None = None

    def __enter__(self) -> "Content":
        return self

    def __exit__(self, *error: object) -> None:
        if self.path != STDIN:
            self._file.close()

    def peek(self, size: int) -> bytes:
        """The first bytes, at least so many where there are so many; they come again."""
        pieces = [self._peeked] if self._peeked else []
        held = len(self._peeked)
        while held < size:
            piece = next(self._started(), None)
            if piece is None:
                break
            pieces.append(piece)
            held += len(piece)
        self._peeked = b"".join(pieces)
        return self._peeked

    def __iter__(self) -> Iterator[bytes]:
        return chain(self._again(), self._started())

    def entry_before(self, text: int) -> Entry:
        """The last place at or before so many unpacked bytes where unpacking can begin.

        Args:
            text: never fewer than the time before.
        """
        if self._plain:
            return Entry(text, text)
        while len(self._frames) > 1 and self._frames[1].text <= text:
            self._frames.popleft()
        return self._frames[0]

    def _again(self) -> Iterator[bytes]:
        """What was peeked, held by nobody afterwards."""
        if self._peeked:
            peeked, self._peeked = self._peeked, b""
            yield peeked

    def _started(self) -> Iterator[bytes]:
        if self._rest is None:
            self._rest = self._pieces()
        return self._rest

    def _pieces(self) -> Iterator[bytes]:
        start = self._read()
        what = foreign_kind(start)
        if what is not None:
            raise InputError(f"{self.name} is {what}.")
        for mark, (name, unpack) in _PACKERS.items():
            if start.startswith(mark):
                yield from self._by_library(name, unpack, start)
                return
        if start.startswith(_ZSTD) or start[1:4] == _SKIPPABLE:
            yield from self._zstd(self._from_entry(start))
            return
        packer = _SUFFIXES.get(self.path.suffix)
        if packer is not None and start:
            raise InputError(f"{self.name} is not {packer}, though its name says so.")
        self._plain = True
        start = self._from_entry(start)
        while start:
            yield start
            start = self._read(_PIECE)

    def _from_entry(self, start: bytes) -> bytes:
        """The bytes at the entry, where that is not the start."""
        if not self.entry.packed:
            return start
        self._file.seek(self.entry.packed)
        self.position = self.entry.packed
        return self._read()

    def _by_library(self, name: str, unpack: Any, start: bytes) -> Iterator[bytes]:
        broken = (OSError, EOFError, zlib.error, lzma.LZMAError)
        try:
            with unpack(io.BufferedReader(_Raw(start, self._read))) as unpacked:
                while piece := unpacked.read(_PIECE):
                    yield piece
        except EOFError:
            raise self._cut() from None
        except broken as error:
            raise BrokenOffError(f"{self.name} is damaged ({error}): get it again.") from None

    def _zstd(self, packed: bytes) -> Iterator[bytes]:
        unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        begun = False
        text = self.entry.text
        frame = unpacker.decompressobj()
        try:
            while packed:
                while len(packed) < 8 and (more := self._read()):  # a frame's head, at least
                    packed += more
                if not begun and packed[1:4] == _SKIPPABLE:
                    packed = self._after(8 + int.from_bytes(packed[4:8], "little"), packed)
                    continue
                piece = frame.decompress(packed)
                text += len(piece)
                begun = not frame.eof
                packed = frame.unused_data
                if frame.eof:  # dumps may be several frames in a row
                    frame = unpacker.decompressobj()
                    if text - self._frames[-1].text >= _APART:
                        self._frames.append(Entry(self.position - len(packed), text))
                yield piece
                packed = packed or self._read()
        except zstandard.ZstdError as error:
            raise BrokenOffError(f"{self.name} is damaged ({error}): get it again.") from None
        if begun:
            raise self._cut()

    def _after(self, size: int, packed: bytes) -> bytes:
        """What follows so many bytes."""
        while packed and len(packed) <= size:
            size -= len(packed)
            packed = self._read()
        return packed[size:]

    def _read(self, size: int = _READ) -> bytes:
        try:
            piece = self._file.read(size)
        except OSError as error:
            raise BrokenOffError(f"{self.name} can't be read on: {error.strerror}.") from None
        self.position += len(piece)
        return piece

    def _cut(self) -> BrokenOffError:
        return BrokenOffError(
            f"{self.name} ends in the middle (a truncated download?): get it again."
        )


class _Raw(io.RawIOBase):
    """The packed bytes of a file, as the standard library's unpackers read them."""

    def __init__(self, start: bytes, read: Any) -> None:
        self._start, self._more = start, read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        held = self._start or self._more()
        size = min(len(buffer), len(held))
        buffer[:size] = held[:size]
        self._start = held[size:]
        return size


def foreign_kind(start: bytes) -> str | None:
    """What a file is that begins so, and what to do, where it is no text; None for what may be."""
    for mark, what in _FOREIGN.items():
        if start.startswith(mark):
            return what
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "a WebP image: give the table or the dump, and its folder with --images"
    if start.lstrip()[:9].lower().startswith(_PAGE):
        return "a web page or XML: a download may have failed"
    return None


def existing(path: Path) -> Path:
    """The path, if it is a file or `-`, which is standard input.

    Raises:
        InputError: it is not.
    """
    if path == STDIN:
        return path
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: give the files in it, such as '{path}/*.json'.")
        if path.is_file():
            return path
    except OSError as error:  # a name that no file can have, a folder that may not be read
        raise InputError(f"{shown(str(path))} can't be read: {error.strerror}.") from None
    raise InputError(f"There is no file {path}: check its name, relative to {Path.cwd()}.")


def file_name(path: Path) -> str:
    """The name of a file as it is kept and told."""
    return "stdin" if path == STDIN else path.name


def file_size(path: Path) -> int:
    """Bytes on disk; 0 for standard input, of which nobody knows."""
    return 0 if path == STDIN else path.stat().st_size
