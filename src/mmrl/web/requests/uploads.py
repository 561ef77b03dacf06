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
_MOST_FILES = 1000  # that are read, so that the form's texts come through; more end the request
_MOST_TEXT = 256 * 1024  # bytes of one field that is no file
_ROOM = 1024 * 1024  # bytes of a body besides its pictures


@dataclass(frozen=True)
class Upload:
    """A file as it came: its name is whatever the client says."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Form:
    """The texts and the files of a body, in order.

    Attributes:
        refused: why some files are not among them: they are too large, or too many.
    """

    texts: dict[str, list[str]]
    files: list[Upload]
    refused: list[Problem]

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
        Problem: it is no form, too large in all (413), or memory is full (429).
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
            max_files=_MOST_FILES,
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
    form = Form({}, [], [])
    pictures = 0
    for name, value in data.multi_items():
        if not isinstance(value, UploadFile):
            form.texts.setdefault(name, []).append(value)
        elif value.filename or value.size:  # an empty file input sends neither
            pictures += 1
            upload = Upload(value.filename or "a picture", await value.read())
            if len(upload.data) > most_bytes:
                form.refused.append(_too_large(upload, most_bytes))
            elif len(form.files) < MOST_PICTURES:
                form.files.append(upload)
    await data.close()
    if pictures > MOST_PICTURES:
        form.refused.append(_too_many(f"{pictures} pictures were given"))
    return form


def _too_large(upload: Upload, most_bytes: int) -> Problem:
    return Problem(
        413,
        f"{upload.name!r} has {len(upload.data):,} bytes; {most_bytes:,} are the most "
        "(images.max_bytes): give a smaller picture.",
    )


def _too_many(counted: str) -> Problem:
    return Problem(
        413,
        f"{counted}; {MOST_PICTURES} at a time are the most: choose the ones you waver between.",
    )


def _problem(error: MultiPartException) -> Problem:
    if "Too many files" in error.message:
        return _too_many(f"More than {_MOST_FILES} files were given")
    return Problem(400, f"The form can't be read: {error.message}")
