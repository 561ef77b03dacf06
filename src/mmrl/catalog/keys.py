"""Content hashes: the keys under which vectors are kept, so that equal content is embedded once."""

import hashlib

import pyarrow as pa
import pyarrow.compute as pc


def image_content(data: bytes) -> str:
    """SHA-256 of an image file, 64 hex digits; also its key in `images`."""
    return hashlib.sha256(data).hexdigest()


def text_content(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, 64 hex digits.

    Lone surrogates, which JSON dumps can hold, count as the three bytes they would take.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def visual_content(image_sha256: str, text: str) -> str:
    """SHA-256 of an image together with a text: `{image's hash}\\n{text's hash}`."""
    return hashlib.sha256(f"{image_sha256}\n{text_content(text)}".encode("ascii")).hexdigest()


def author_keys(ids: pa.ChunkedArray, names: pa.ChunkedArray) -> pa.ChunkedArray:
    """Who wrote each post: the account's id, or `u/NAME` where only its name is known.

    Names ignore case, as Reddit's do; null where neither is known.
    """
    return pc.coalesce(ids, pc.binary_join_element_wise("u/", pc.utf8_lower(names), ""))
