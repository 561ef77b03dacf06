"""Probe of image files: the facts of a still image, or why it is refused.

Nothing is decoded before its size is known.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.decode import SNIFFED_BYTES, opened, orientation, sniff
from mmrl.images.picture import Refused, UnreadableError
from mmrl.images.placeholders import placeholder_with

if TYPE_CHECKING:
    from PIL.Image import Image

_HASHED_SIDE = 256  # a JPEG is decoded no larger than it takes to keep this side, in pixels


@dataclass(frozen=True)
class ImageFacts:
    """What is kept of an image beside its bytes.

    Attributes:
        width, height: in pixels, as people see it (turned as EXIF says).
        format: JPEG, PNG, WEBP, GIF, AVIF or BMP: what it is, whatever its name or server says.
        phash: 64-bit perceptual hash (DCT) of the image, 16 hex digits.
    """

    sha256: str
    width: int
    height: int
    format: str
    byte_size: int
    phash: str


@dataclass(frozen=True)
class Picture:
    """An image that was found good.

    Attributes:
        final_url: where it lay, after redirects.
    """

    data: bytes
    facts: ImageFacts
    final_url: str


def probe(data: bytes, images: ImageSettings) -> ImageFacts | Refused:
    """The facts of an image file, or why it is refused.

    The whole image is decoded once, so that a truncated file shows itself here and not in a
    model's batch. Safe to call from several threads.
    """
    import imagehash
    from PIL import ImageOps

    image_format = sniff(data[:SNIFFED_BYTES])
    if image_format is None:
        return Refused(Reason.NOT_AN_IMAGE, f"starts with {data[:12]!r}")
    try:
        with opened(data, (image_format,), images.max_pixels) as image:
            refused = _refuse_unread(image, image_format, len(data), images)
            if refused is not None:
                return refused
            width, height = image.size
            image.draft("L", (_HASHED_SIDE, _HASHED_SIDE))  # faster; still reads the whole file
            image.load()
            turned = orientation(image)
            if turned >= 5:
                width, height = height, width
            phash = imagehash.phash(image if turned == 1 else ImageOps.exif_transpose(image))
    except UnreadableError as error:
        broken = error.reason == Reason.BROKEN_IMAGE
        return Refused(error.reason, f"{image_format}: {error}" if broken else error.detail)
    digest = hashlib.sha256(data).hexdigest()
    return ImageFacts(digest, width, height, image_format, len(data), str(phash))


def _refuse_unread(
    image: "Image", image_format: str, byte_size: int, images: ImageSettings
) -> Refused | None:
    """What the header alone gives away, of an image that is not too large to decode."""
    width, height = image.size
    host = placeholder_with(image_format, width, height, byte_size)
    if host is not None:
        return Refused(Reason.IMAGE_REMOVED_PLACEHOLDER, f"{host} own file")
    if min(width, height) < images.min_side:
        return Refused(Reason.TOO_SMALL, f"{width} x {height}, {images.min_side} a side at least")
    # A JPEG with several images in it (MPO, from phones) is a still one with its preview.
    if image_format != "JPEG" and getattr(image, "is_animated", False):
        return Refused(Reason.ANIMATED, image_format)
    return None
