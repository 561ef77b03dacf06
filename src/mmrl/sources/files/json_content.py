"""JSON as files and APIs hold posts: an object a line, one document, listings, answers."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import orjson

from mmrl.catalog.fullnames import POST
from mmrl.catalog.reasons import Reason
from mmrl.errors import InputError
from mmrl.sources.files.content import Content
from mmrl.sources.files.lines import LONGEST, lines, with_line_feeds
from mmrl.sources.post import Refused

_HEAD = 1 << 16  # bytes that show whether a file holds an object a line
_LARGEST = 1 << 26  # bytes of one document: 64 MiB take some 500 MB as Python's objects
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_DEEPEST = 4  # lists and listings within each other


def json_lines(content: Content) -> Iterator[tuple[int, bytes | Refused]]:
    """The lines of a file that hold JSON, with their numbers; a document of many lines is line 1.

    A line that is too long is refused, and the next one is read.

    Raises:
        InputError: the content is text of another kind.
        BrokenOffError: it ends or breaks in the middle; the lines before are good.
    """
    head = content.peek(_HEAD)[:_HEAD]
    if head.startswith(_UTF16_MARKS):
        raise InputError(f"{content.name} is UTF-16, as PowerShell's > writes: save it as UTF-8.")
    if b"\n" not in head:
        head = content.peek(LONGEST)[:LONGEST]
    pieces = iter(with_line_feeds(content, head))
    document = _is_document(head if b"\n" in head else head.replace(b"\r", b"\n"))
    del head
    if document:
        whole = _whole(pieces)
        if len(whole) <= _LARGEST:
            yield 1, whole.removeprefix(_UTF8_MARK)
            return
        pieces = chain([whole], pieces)
    for number, line in lines(pieces):
        if line is None:
            limit = f"expected at most {LONGEST >> 20} MiB"
            yield number, Refused(Reason.TOO_LONG, f"the line is longer than a post, {limit}")
        elif line.strip():
            yield number, line.removeprefix(_UTF8_MARK) if number == 1 else line


def submissions(value: Any) -> list[Any]:
    """The posts in what was parsed: itself, or those of a list, a listing or an API's answer.

    What stands beside posts is passed over, such as the comments in the answer for a post's page.
    """
    found = list(_leaves(value, 0))
    return [leaf for leaf in found if _may_be_post(leaf)] or found


def _leaves(value: Any, depth: int) -> Iterator[Any]:
    inside = _inside(value) if depth < _DEEPEST else None
    if inside is None:
        yield value
        return
    for item in inside:
        yield from _leaves(item, depth + 1)


def _inside(value: Any) -> list[Any] | None:
    """The items of a list, of Reddit's listing, or of an answer such as {"data": [...]}."""
    if isinstance(value, list):
        return value or None
    if not isinstance(value, dict) or "title" in value:
        return None
    data = value.get("data")
    if value.get("kind") == "Listing" and isinstance(data, dict):
        data = data.get("children")
    return data if isinstance(data, list) and data else None


def _may_be_post(leaf: Any) -> bool:
    if not isinstance(leaf, dict):
        return False
    return leaf.get("kind") in (None, POST) or not isinstance(leaf.get("data"), dict)


def _is_document(head: bytes) -> bool:
    """True where a content that begins so is one document, not an object a line."""
    start = head.removeprefix(_UTF8_MARK).lstrip()
    if start[:1] not in (b"{", b"["):
        return False
    first, ended, _ = start.partition(b"\n")
    if not ended:
        return True
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError:
        return not first.rstrip().endswith(b"}")  # which would be a damaged line
    return False


def _whole(pieces: Iterator[bytes]) -> bytes:
    """The content up to the limit of one document, and a piece more."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > _LARGEST:
            break
    return b"".join(held)
