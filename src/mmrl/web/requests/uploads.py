"""Uploads: multipart bodies read into memory alone, bounded in bytes and in number."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from mmrl.web.requests.problems import Problem

MOST_PICTURES = 20  # in one request
_MOST_FIELDS = 500
_MOST_TEXT = 256 * 1024  # bytes of one field that is no file
_ROOM = 1024 * 1024  # bytes of a body besides its pictures


@dataclass(frozen=True)
class Upload:
    """A file as it came: its name is whatever the client says."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Form:
    """The texts and the files of a body, in order."""

    texts: dict[str, list[str]]
    files: list[Upload]

    def text(self, name: str) -> str:
        """The last text of a name; "" where there is none."""
        return self.texts.get(name, [""])[-1]


class Memory:
    """The bytes that all bodies under way may hold together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def take(self, count: int) -> None:
        """Raises Problem (429) where these bytes don't fit any more."""
        if self.held + count > self.most:
            raise Problem(
                429,
                "Too many pictures are being sent at once: try again in a few seconds.",
                {"Retry-After": "5"},
            )
        self.held += count


class _InMemory(MultiPartParser):
    spool_max_size = 0  # never spooled to the disk


@asynccontextmanager
async def read_form(request: Request, memory: Memory, most_bytes: int) -> AsyncIterator[Form]:
    """A request's form, which is counted as held until the block ends; none of it is on the disk.

    Args:
        memory: shared by all requests.
        most_bytes: the largest picture.

    Raises:
        Problem: it is no form, too large (413), has too many pictures (413), or memory is full.
    """
    body = _Body(request, memory, min(MOST_PICTURES * most_bytes + _ROOM, memory.most))
    try:
        yield await _form(await _parse(request, body), most_bytes)
    finally:
        memory.held -= body.held


async def _parse(request: Request, body: "_Body") -> FormData:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    parser: FormParser | MultiPartParser
    if kind == "multipart/form-data":
        parser = _InMemory(
            request.headers,
            body.chunks(),
            max_files=MOST_PICTURES,
            max_fields=_MOST_FIELDS,
            max_part_size=_MOST_TEXT,
        )
    elif kind == "application/x-www-form-urlencoded":
        parser = FormParser(
            request.headers, body.chunks(), max_fields=_MOST_FIELDS, max_part_size=_MOST_TEXT
        )
    else:
        raise Problem(
            415, f"The body is {kind or 'of no type'}, expected multipart/form-data: a form."
        )
    try:
        return await parser.parse()
    except MultiPartException as error:
        await body.drain()
        raise _problem(error) from error


class _Body:
    """A body as it comes in, counted."""

    def __init__(self, request: Request, memory: Memory, most: int) -> None:
        self._chunks = request.stream()
        self._memory = memory
        self._most = most
        self.held = 0

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        async for chunk in self._chunks:
            if self.held + len(chunk) > self._most:
                raise Problem(
                    413,
                    f"More than {self._most // 1_000_000:,} MB were sent at once: send fewer or "
                    "smaller pictures.",
                )
            self._memory.take(len(chunk))
            self.held += len(chunk)
            yield chunk

    async def drain(self) -> None:
        """Reads on without keeping, so that the client hears what was wrong."""
        left = self._most - self.held
        async for chunk in self._chunks:
            left -= len(chunk)
            if left < 0:
                return


async def _form(data: FormData, most_bytes: int) -> Form:
    texts: dict[str, list[str]] = {}
    files = []
    for name, value in data.multi_items():
        if isinstance(value, UploadFile):
            if value.filename or value.size:  # an empty file input sends neither
                files.append(await _upload(value, most_bytes))
        else:
            texts.setdefault(name, []).append(value)
    await data.close()
    return Form(texts, files)


async def _upload(file: UploadFile, most_bytes: int) -> Upload:
    name = file.filename or "a picture"
    if (file.size or 0) > most_bytes:
        raise Problem(
            413,
            f"{name!r} has {file.size:,} bytes; {most_bytes:,} are the most (images.max_bytes): "
            "give a smaller picture.",
        )
    return Upload(name, await file.read())


def _problem(error: MultiPartException) -> Problem:
    if "Too many files" in error.message:
        return Problem(
            413,
            f"More than {MOST_PICTURES} pictures were given; {MOST_PICTURES} at a time are the "
            "most: choose the ones you waver between.",
        )
    return Problem(400, f"The form can't be read: {error.message}")
