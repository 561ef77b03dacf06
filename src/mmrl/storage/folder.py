"""Files of a home that is a folder."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmrl.storage.files import Stored, Stream
from mmrl.storage.location import Location
from mmrl.storage.lock import locked
from mmrl.storage.whole_files import write_whole


class Folder:
    """Implements `Storage` on a disk."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._root = location.path

    def read(self, name: str) -> bytes | None:
        try:
            return (self._root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self, name: str) -> bool:
        return (self._root / name).is_file()

    def write(self, name: str, data: bytes) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)

    def change(self, name: str, new: Callable[[bytes | None], bytes | None]) -> None:
        with locked(self._root / "locks" / name.replace("/", "-"), lambda process: None):
            data = new(self.read(name))
            if data is not None:
                self.write(name, data)

    def stream(self, name: str) -> Stream:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")

    def walk(self, folder: str) -> Iterator[Stored]:
        for path in (self._root / folder).rglob("*"):
            try:
                if path.is_file():
                    yield Stored(path.relative_to(self._root).as_posix(), path.stat().st_mtime)
            except FileNotFoundError:  # another process has just deleted it
                continue

    def folders(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self._root / folder).glob("*") if path.is_dir())

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            (self._root / name).unlink(missing_ok=True)

    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(self._root / folder, ignore_errors=True)

    @contextmanager
    def filled(self, folder: str) -> Iterator[Path]:
        yield self._root / folder

    @contextmanager
    def at_hand(self, folder: str) -> Iterator[Path]:
        yield self._root / folder
