"""Content hashes: the keys under which vectors are kept, so that equal content is embedded once."""

import hashlib


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
