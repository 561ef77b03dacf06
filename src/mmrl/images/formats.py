"""Formats of image files: what a file is, and its bytes as a browser reads them."""

import re
from collections.abc import Iterator
from hashlib import sha256

SNIFFED_BYTES = 64  # `sniff` needs no more of a file than this
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # sizes of the second header of a BMP
_PNG = b"\x89PNG\r\n\x1a\n"
# Chunks of a PNG that pixels, movement or orientation depend on. All others are notes: large or odd
# ones make Pillow refuse the file, and no browser does.
_PNG_NEEDED = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT")
)
_OTHER_FORMATS = (  # how files begin that are images, and are not read
    (re.compile(rb"....ftyp(hei[cxms]|hev[cx])", re.DOTALL), "HEIC"),
    (re.compile(rb"(II\*\0|MM\0\*)"), "TIFF"),
    (re.compile(rb"(\xff\x0a|\0\0\0\x0cJXL \r\n)"), "JPEG XL"),
    (re.compile(rb"\0\0\0\x0cjP  \r\n"), "JPEG 2000"),
    (re.compile(rb"8BPS"), "PSD"),
    (re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<svg", re.DOTALL), "SVG"),
)


def sniff(head: bytes) -> str | None:
    """The format of a web page's image that a file's first `SNIFFED_BYTES` bytes announce.

    Returns:
        JPEG, PNG, GIF, WEBP, AVIF or BMP; None for any other file.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(_PNG):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if {b"avif", b"avis"}.intersection(_brands(head)):
        return "AVIF"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    return None


def other_format(head: bytes) -> str | None:
    """The name of a format that is not read, by a file's first bytes; None for no known one."""
    if b"heic" in _brands(head) or b"heix" in _brands(head):
        return "HEIC"
    return next((name for begins, name in _OTHER_FORMATS if begins.match(head)), None)


def _brands(head: bytes) -> list[bytes]:
    """The brands of an ISO media file: the major one and the compatible ones."""
    if head[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(head[:4]), len(head))
    return [head[8:12], *(head[start : start + 4] for start in range(16, end - 3, 4))]


def without_notes(data: bytes) -> bytes:
    """A PNG without the chunks that its pixels don't depend on; any other file as it is.

    The chunks that stay are not touched, broken ones neither.
    """
    if not data.startswith(_PNG):
        return data
    kept: list[bytes | memoryview] = [_PNG]
    view = memoryview(data)
    for kind, start, end in _chunks(data):
        if kind in _PNG_NEEDED:
            kept.append(view[start:end])
    return b"".join(kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk of a PNG; what follows the last whole one is one more."""
    start = len(_PNG)
    while start < len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4])
        kind = data[start + 4 : start + 8]
        yield kind, start, min(end, len(data))
        if kind == b"IEND":
            return
        start = end


def with_end(data: bytes, filler: int | None = None) -> bytes:
    """A JPEG that lacks its end mark, with one.

    Args:
        filler: before the mark, 96 bytes that say something else for each number.
    """
    bits = b"" if filler is None else sha256(bytes([filler])).digest().replace(b"\xff", b"\0") * 3
    return data.rstrip(b"\xff") + bits + b"\xff\xd9"
