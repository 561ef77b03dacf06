"""The protocol of a storage: the files of a home, wherever it lies.

A file is named by its path in the home, with slashes: `reports/3.html`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mmrl.storage.location import Location


@dataclass(frozen=True)
class Stored:
    """A file that is there; `modified` is when it was last written, in epoch seconds."""

    name: str
    modified: float


class Stream(Protocol):
    """A new file that is written piece by piece, and is there at the latest once it is closed."""

    def write(self, data: bytes, /) -> object:
        """Adds bytes."""

    def close(self) -> None:
        """Ends the file."""


class Storage(Protocol):
    """The files of one home.

    Methods raise OSError where a disk fails, StorageError where an object store does.
    """

    location: Location

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none."""

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""

    def write(self, name: str, data: bytes) -> None:
        """Writes a file whole: whoever reads, and whatever is killed, meets the old or the new."""

    def change(self, name: str, new: Callable[[bytes | None], bytes | None]) -> None:
        """Writes what `new` makes of a file's bytes (None: there is none); no one comes between.

        Args:
            new: may be called several times; gives None to leave the file as it is, and otherwise
                bytes that no other process ever writes, such as with a random word in them.
        """

    def stream(self, name: str) -> Stream:
        """A new file to be written piece by piece."""

    def walk(self, folder: str) -> Iterator[Stored]:
        """All files in a folder and the folders in it, in no promised order."""

    def folders(self, folder: str) -> list[str]:
        """The names of the folders that lie in a folder, in order."""

    def delete(self, names: Iterable[str]) -> None:
        """Deletes files; those that are not there are no error."""

    def delete_folder(self, folder: str) -> None:
        """Deletes a folder with all files in it, if it is there."""

    def filled(self, folder: str) -> AbstractContextManager[Path]:
        """A new folder on this machine to write into; what is in it at the end is kept."""

    def at_hand(self, folder: str) -> AbstractContextManager[Path]:
        """A folder as one on this machine, to be read within the block."""
