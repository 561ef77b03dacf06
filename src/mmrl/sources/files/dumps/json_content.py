"""JSON as files and APIs hold posts: an object a line, one document, listings, answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from mmrl.catalog.fullnames import POST
from mmrl.catalog.reasons import Reason
from mmrl.errors import InputError
from mmrl.sources.files.content import Content, Entry
from mmrl.sources.files.lines import LONGEST, blocks, with_line_feeds
from mmrl.sources.post import Refused

BLOCK = 1 << 21  # bytes of whole lines that are read at a time
_HEAD = 1 << 16  # bytes that show whether a file holds an object a line
_LARGEST = 1 << 26  # bytes of one document: 64 MiB take some 500 MB as Python's objects
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_DEEPEST = 4  # lists and listings within each other


@dataclass(frozen=True)
class Block:
    """Some whole lines of a file, or one document.

    Attributes:
        data: their bytes.
        document: it is one document, whatever line ends are in it.
        entry: a place where unpacking can begin, at or before what follows.
        text: the unpacked bytes before the next line.
        read: bytes on disk that were read until then.
    """

    data: bytes
    document: bool
    entry: Entry
    text: int
    read: int


def json_blocks(content: Content, text: int = 0) -> Iterator[Block]:
    """The lines of a file that hold JSON, some megabytes at a time, or its one document.

    Args:
        text: unpacked bytes that are passed over; a line begins behind them.

    Raises:
        InputError: the content is text of another kind.
        BrokenOffError: it ends or breaks in the middle; the lines before are good.
    """
    begin = content.entry.text
    head = content.peek(_HEAD)[:_HEAD]
    if head.startswith(_UTF16_MARKS):
        raise InputError(f"{content.name} is UTF-16, as PowerShell's > writes: save it as UTF-8.")
    if b"\n" not in head:
        head = content.peek(LONGEST)[:LONGEST]
    pieces = iter(with_line_feeds(content, head))
    document = not text and _is_document(head if b"\n" in head else head.replace(b"\r", b"\n"))
    del head
    if document:
        whole = _whole(pieces)
        if len(whole) <= _LARGEST:
            end = content.entry_before(len(whole)), len(whole), content.position
            yield Block(whole, True, *end)
            return
        pieces = chain([whole], pieces)
    for data, size in blocks(_without(pieces, text - begin), BLOCK):
        text += size
        yield Block(data, False, content.entry_before(text), text, content.position)


def json_lines(block: Block, *, first: bool) -> tuple[int, Iterator[tuple[int, bytes | Refused]]]:
    """How many lines a block has, and those that are not blank with their numbers in it.

    Args:
        first: the block is its file's first.
    """
    if block.document:
        lines = [block.data]
    elif block.data.isspace():  # a file made to burst may be nothing else
        return block.data.count(b"\n"), iter(())
    else:
        lines = block.data.split(b"\n")
    if first:
        lines[0] = lines[0].removeprefix(_UTF8_MARK)
    return max(len(lines) - 1, 1), _not_blank(lines, _LARGEST if block.document else LONGEST)


def _not_blank(lines: list[bytes], longest: int) -> Iterator[tuple[int, bytes | Refused]]:
    for number, line in enumerate(lines, start=1):
        if len(line) > longest:
            limit = f"expected at most {longest >> 20} MiB"
            yield number, Refused(Reason.TOO_LONG, f"the line is longer than a post, {limit}")
        elif line and not line.isspace():
            yield number, line


def submissions(value: Any) -> list[Any]:
    """The posts in what was parsed: itself, or those of a list, a listing or an API's answer.

    What stands beside posts is passed over, such as the comments in the answer for a post's page.
    """
    if isinstance(value, dict) and "title" in value:  # as nearly every line is
        return [value]
    leaves = list(_leaves(value, 0))
    return [leaf for leaf in leaves if _may_be_post(leaf)] or leaves


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


def _without(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The pieces without the first bytes, none larger than a block."""
    for piece in pieces:
        for at in range(size, len(piece), BLOCK):
            yield piece[at : at + BLOCK]
        size = max(size - len(piece), 0)


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
