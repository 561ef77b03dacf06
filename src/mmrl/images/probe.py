"""Probe of image files: the facts of a still image, or why it is refused.

Nothing is decoded before its size is known.
"""

import hashlib
from typing import TYPE_CHECKING

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.decode import as_rgb, eight_bits, loaded, opened, orientation, upright
from mmrl.images.formats import SNIFFED_BYTES, other_format, sniff
from mmrl.images.image import ImageFacts, Refused, UnreadableError
from mmrl.images.placeholders import placeholder_with
from mmrl.runtime.foreign_text import shown

if TYPE_CHECKING:
    from PIL.Image import Image

_PLAIN = ("L", "RGB")  # modes that any conversion takes
_NAMED_BYTES = 1024  # an SVG may begin with a comment
_SHOWN_BYTES = 12  # of a file that is no image
_HASHED_SIDE = 256  # a JPEG is decoded no larger than it takes to keep this side, in pixels


def probe(data: bytes, images: ImageSettings) -> ImageFacts | Refused:
    """The facts of an image file, or why it is refused.

    The whole image is decoded once, so that a truncated file shows itself here and not in a
    model's batch. Safe to call from several threads.
    """
    import imagehash

    image_format = sniff(data[:SNIFFED_BYTES])
    if image_format is None:
        other = other_format(data[:_NAMED_BYTES])
        if other is not None:
            return Refused(
                Reason.FORMAT_NOT_READ, f"{other}; read are JPEG, PNG, WebP, GIF, AVIF and BMP"
            )
        return Refused(Reason.NOT_AN_IMAGE, _beginning(data))
    try:
        with opened(data, (image_format,), images.max_pixels) as image:
            refused = _refuse_unread(image, image_format, len(data), images)
            if refused is not None:
                return refused
            width, height = image.size
            image.draft("L", (_HASHED_SIDE, _HASHED_SIDE))  # faster; still reads the whole file
            with loaded(image):
                if orientation(image) >= 5:
                    width, height = height, width
                turned = eight_bits(upright(image))
                if turned.mode not in _PLAIN:  # a broken palette shows itself here, too
                    as_rgb(turned)
                phash = imagehash.phash(turned)
    except UnreadableError as error:
        broken = error.reason == Reason.BROKEN_IMAGE
        return Refused(error.reason, f"{image_format}: {error}" if broken else error.detail)
    digest = hashlib.sha256(data).hexdigest()
    return ImageFacts(digest, width, height, image_format, len(data), str(phash))


def _beginning(data: bytes) -> str:
    """How a file begins that is no image, in words."""
    head = data[:_SHOWN_BYTES]
    if not head:
        return "the file is empty"
    text = head.decode("ascii", "replace")
    if head.isascii() and shown(text) == text:
        return f"the file begins with the text '{text}'"
    return f"the file begins with the bytes {head.hex(' ')}"


def _refuse_unread(
    image: "Image", image_format: str, byte_size: int, images: ImageSettings
) -> Refused | None:
    """The refusal that the header alone gives, of an image that is not too large to decode."""
    width, height = image.size
    placeholder = placeholder_with(image_format, width, height, byte_size)
    if placeholder is not None:
        return Refused(Reason.IMAGE_REMOVED_PLACEHOLDER, f"{placeholder.host}'s own file")
    if min(width, height) < images.min_side:
        return Refused(Reason.TOO_SMALL, f"{width} x {height}, {images.min_side} a side at least")
    # A JPEG with several images in it (MPO, from phones) is a still one with its preview.
    if image_format != "JPEG" and getattr(image, "is_animated", False):
        return Refused(Reason.ANIMATED, image_format)
    return None
