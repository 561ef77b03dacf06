"""Files of a home as objects of a store, such as S3; and what it must do for locks to be true.

The store's client is obstore, over the same Rust library that Lance reaches the tables with: both
read the same settings (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`...; see docs/homes.md).
"""

import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from mmrl.errors import ConfigError, StorageError
from mmrl.runtime.foreign_text import without_userinfo
from mmrl.runtime.retry import OBJECTS
from mmrl.storage.files import Stored, Stream
from mmrl.storage.location import Location

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PROBE = "probe"  # the object that tells whether the store keeps its conditions
_RETRIES = 5
_RETRY_SECONDS, _ANSWER_SECONDS, _CONNECT_SECONDS = 30, 60, 10
_CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_PAGE = 1000  # names in one answer of a listing

Version = dict[str, str]  # what tells two contents of an object apart


class Bucket:
    """Implements `Storage` by the objects under one address."""

    def __init__(self, location: Location, store: "ObjectStore") -> None:
        self.location = location
        self._store = store
        self._seen: dict[str, tuple[bytes, Version]] = {}

    @classmethod
    def of(cls, location: Location) -> "Bucket":
        """The objects at an address; asks the store nothing yet.

        Raises:
            ConfigError: the address or the environment names no store that can be used.
        """
        return _opened(location)

    def read(self, name: str) -> bytes | None:
        current = self.read_version(name)
        return None if current is None else current[0]

    def read_version(self, name: str) -> tuple[bytes, Version] | None:
        """An object's bytes and their version; None where there is none."""
        import obstore

        with self._told():
            try:
                answer = obstore.get(self._store, name)
                data = bytes(answer.bytes())
            except FileNotFoundError:
                return None
        return data, _version(answer.meta)

    def exists(self, name: str) -> bool:
        import obstore

        with self._told():
            try:
                obstore.head(self._store, name)
            except FileNotFoundError:
                return False
            return True

    def write(self, name: str, data: bytes | IO[bytes]) -> None:
        """Writes an object whole; an open file is sent in parts, and never held in memory."""
        import obstore

        with self._told():
            obstore.put(self._store, name, data)

    def create(self, name: str, data: bytes) -> Version | None:
        """Writes an object that is not there; None where there is one. Of several, one does.

        Args:
            data: bytes that nobody else writes, such as with a random word in it.
        """
        return self._put_if(name, data, "create")

    def replace(self, name: str, data: bytes, version: Version) -> Version | None:
        """Writes an object that has not changed since; None where it has, or is gone.

        Args:
            data: as for `create`.
        """
        return self._put_if(name, data, version)

    def change(self, name: str, new: Callable[[bytes | None], bytes | None]) -> None:
        current = self._seen.pop(name, None) or self.read_version(name)
        while True:
            data = new(None if current is None else current[0])
            if data is None:
                return
            version = (
                self.create(name, data) if current is None else self.replace(name, data, current[1])
            )
            if version is not None:
                self._seen[name] = data, version
                return
            current = self.read_version(name)

    def stream(self, name: str) -> Stream:
        return _Stream(self, name)

    def walk(self, folder: str) -> Iterator[Stored]:
        import obstore

        with self._told():
            for page in obstore.list(self._store, folder, chunk_size=_PAGE):
                for meta in page:
                    yield Stored(meta["path"], meta["last_modified"].timestamp())

    def folders(self, folder: str) -> list[str]:
        import obstore

        with self._told():
            prefixes = obstore.list_with_delimiter(self._store, folder)["common_prefixes"]
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in prefixes)

    def delete(self, names: Iterable[str]) -> None:
        import obstore

        listed = list(names)
        if listed:
            with self._told():
                obstore.delete(self._store, listed)

    def delete_folder(self, folder: str) -> None:
        self.delete(stored.name for stored in self.walk(folder))

    @contextmanager
    def filled(self, folder: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="mmrl-") as place:
            yield Path(place)
            for path in sorted(Path(place).rglob("*")):
                if path.is_file():
                    name = f"{folder}/{path.relative_to(place).as_posix()}"
                    with path.open("rb") as file:
                        self.write(name, file)

    @contextmanager
    def at_hand(self, folder: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="mmrl-") as place:
            for stored in self.walk(folder):
                data = self.read(stored.name)
                if data is not None:
                    path = Path(place) / stored.name.removeprefix(f"{folder}/")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
            yield Path(place)

    def require_conditions(self) -> None:
        """Probes whether the store refuses a second writer, as locks and tables need.

        A store that may only be read is not asked.

        Raises:
            ConfigError: it takes a second conditional put.
            StorageError: it may not even be read.
        """
        mine = uuid4().hex.encode()
        stale = {"e_tag": '"00000000000000000000000000000000"'}
        try:
            made = self.create(PROBE, mine)
            twice = made is not None and self.create(PROBE, uuid4().hex.encode()) is not None
            if not twice and self.replace(PROBE, uuid4().hex.encode(), stale) is None:
                return
        except _Refused:
            self.read(PROBE)  # which is refused as well where the key is wrong
            return
        raise ConfigError(
            f"{self.location} can't be a home: its store lets a second writer overwrite the first "
            "one's object (it ignores If-None-Match or If-Match), so that two processes could "
            "lose each other's work. Use a store that keeps these conditions, as S3 itself does, "
            "or a folder."
        )

    def _put_if(self, name: str, data: bytes, mode: Any) -> Version | None:
        """Writes an object under a condition; None where that does not hold.

        A put whose answer is lost may have been done. The object tells: it holds these bytes, or
        has not changed, so that they are put again.

        Raises:
            StorageError: also where others have written since, so that nobody can tell.
        """
        before = None if mode == "create" else mode
        lost: StorageError | None = None
        attempt = 0
        while True:
            attempt += 1
            try:
                made = self._put_once(name, data, mode)
            except _Refused:
                raise
            except StorageError as error:
                made, lost = None, error
            if made is not None:
                return made
            current = self.read_version(name)
            if current is not None and current[0] == data:
                return current[1]
            if lost is None:
                return None
            if (None if current is None else current[1]) != before or OBJECTS.exhausted(attempt):
                raise lost
            time.sleep(OBJECTS.wait(attempt, random.random()))

    def _put_once(self, name: str, data: bytes, mode: Any) -> Version | None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._told():
            try:
                return _version(obstore.put(self._store, name, data, mode=mode))
            except (AlreadyExistsError, PreconditionError):
                return None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Says in one sentence what the store reports, without keys and signatures."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, ValueError, OSError) as error:
            if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error):
                raise
            raise self._in_words(error) from None

    def _in_words(self, error: Exception) -> StorageError:
        text = str(error)
        code = re.search(r"<Code>(\w+)</Code>", text)
        if code and code[1] == "NoSuchBucket":
            why, then = "there is no such bucket", "make it first, or correct --home"
        elif type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
            why = f"it refuses the credentials{f' ({code[1]})' if code else ''}"
            then = f"set {_CREDENTIALS} to a key that may read and write there"
            return _Refused(f"{self.location}: {why}: {then}.")
        elif "169.254." in text or "metadata" in text.lower():
            why, then = "there are no credentials", f"set {_CREDENTIALS}"
        elif _endpoint().startswith("http://") and not _allows_http():
            why = "AWS_ENDPOINT_URL is an http:// address"
            then = "set AWS_ALLOW_HTTP=true as well, or use https://"
        else:
            status = re.search(r"status code: (\d{3}[^:\n]*)", text)
            answer = code[1] if code else status[1].strip() if status else None
            why = (
                f"it answers {answer}" if answer else f"it does not answer at {_endpoint() or 'S3'}"
            )
            then = "see that the store runs and AWS_ENDPOINT_URL and AWS_REGION are right"
        return StorageError(f"{self.location}: {why}: {then}.")


def _endpoint() -> str:
    """The address of the store that the environment names, as it is shown; empty for Amazon's."""
    named = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
    return without_userinfo(named)


def _allows_http() -> bool:
    return os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("true", "1")


def _version(told: Any) -> Version:
    return {part: told[part] for part in ("e_tag", "version") if told[part] is not None}


class _Refused(StorageError):  # noqa: N818 - a kind of its base
    """The credentials do not allow it."""


class _Stream:
    """Implements `Stream`: held in a temporary file, and an object once it is closed."""

    def __init__(self, bucket: Bucket, name: str) -> None:
        self._bucket, self._name = bucket, name
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` ends it

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def close(self) -> None:
        self._file.seek(0)
        with self._file:
            self._bucket.write(self._name, self._file)


@cache
def _opened(location: Location) -> Bucket:
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    try:
        store = from_url(
            location.address,
            client_options={
                "allow_http": _allows_http(),
                "timeout": timedelta(seconds=_ANSWER_SECONDS),
                "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
            },
            retry_config={
                "max_retries": _RETRIES,
                "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
            },
        )
    except (BaseError, ValueError) as error:
        raise ConfigError(
            f"{location} can't be a home ({type(error).__name__}): expected an address such as "
            f"s3://bucket/path, and got {location.scheme}://."
        ) from None
    return Bucket(location, store)
