"""Decoder of strangers' image files: what it opens, how large, and what comes out.

How many pixels a file may have is the setting `images.max_pixels`, whoever decodes. Encoders are
made from a profile, by the path of a class, and get no settings; so the limit is set once for the
process with `use_limit`, where a command begins, as with the models' threads. What was taken in
is then decoded by every later stage, and under a limit that was lowered since, every stage
refuses it alike.

Many files are decoded in a few threads (Pillow releases Python's lock in it) a bounded number of
batches ahead of the model, so that memory does not grow with the number of images.
"""

import io
import os
import re
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.image import UnreadableError

# No other of Pillow's decoders ever sees a stranger's file.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")
SNIFFED_BYTES = 16  # `sniff` needs no more of a file than this
_ORIENTATION = 0x0112  # EXIF
_LONGEST = 16  # times as long as wide
_AHEAD = 3  # batches decoded and not yet taken
_WORKERS = min(32, os.cpu_count() or 1)
_UNHEARD = ("ignore", None, Warning, re.compile(r"PIL\."), 0)  # an entry of `warnings.filters`

_max_pixels = ImageSettings().max_pixels


def use_limit(max_pixels: int) -> None:
    """Sets how many pixels (width x height) a file may have that is opened from here on."""
    global _max_pixels
    _max_pixels = max_pixels


def sniff(head: bytes) -> str | None:
    """The format of a web page's image that a file's first `SNIFFED_BYTES` bytes announce.

    Returns:
        one of `FORMATS`; None for any other file, and for a TIFF, which browsers don't show.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "BMP"
    return None


@contextmanager
def opened(
    data: bytes, formats: tuple[str, ...] = FORMATS, max_pixels: int | None = None
) -> Iterator[Image.Image]:
    """A stranger's file with its header read, small enough to decode, and nothing decoded yet.

    Safe to call from several threads; no warning of Pillow's gets out.

    Args:
        formats: the ones to be tried, of `FORMATS`.
        max_pixels: width x height; None takes the limit of `use_limit`.

    Raises:
        UnreadableError: the file is broken, no image or too large, or what is done with it inside
            the `with` trips over its bytes. Its reason is TOO_MANY_PIXELS or BROKEN_IMAGE.
    """
    limit = _max_pixels if max_pixels is None else max_pixels
    _set_pillows_guard(limit)
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            width, height = image.size
            if width * height > limit:
                detail = f"{width} x {height} pixels, {limit:,} at most"
                raise UnreadableError(detail, Reason.TOO_MANY_PIXELS)
            yield image
    except UnreadableError:
        raise
    except Image.DecompressionBombError:
        detail = f"more than {2 * limit:,} pixels, {limit:,} at most"
        raise UnreadableError(detail, Reason.TOO_MANY_PIXELS) from None
    except Image.UnidentifiedImageError:  # its own words name an object's address
        raise UnreadableError("not an image, or its header can't be read") from None
    except Exception as error:  # decoders of hostile bytes raise whatever they like
        raise UnreadableError(f"{type(error).__name__}: {error}"[:200]) from error


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of a loaded image, 1 to 8; from 5 on it lies on its side.

    It is 1 (upright) where the EXIF can't be read: an image is not refused for its notes.
    """
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # as above
        return 1
    return value if value in range(1, 9) else 1


@dataclass(frozen=True)
class Crop:
    """The square made of an image: the centre of it, resized (bicubic, antialiased).

    Attributes:
        side: of the result, in pixels.
        share: of the image's shorter side that is kept.
        enough: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as the shorter side
            keeps this many pixels: several times faster on a photograph of 12 megapixels.
    """

    side: int
    share: float
    enough: int

    def apply(self, data: bytes) -> np.ndarray:
        """Pixels of shape (side, side, 3), uint8, RGB, upright as EXIF says.

        Raises:
            UnreadableError: see `open_rgb`.
        """
        rgb = open_rgb(data, self.enough)
        width, height = rgb.size
        kept = self.share * min(width, height)
        left, top = (width - kept) / 2, (height - kept) / 2
        square = rgb.resize(
            (self.side, self.side),
            Image.Resampling.BICUBIC,
            box=(left, top, left + kept, top + kept),
        )
        return np.asarray(square)


def open_rgb(data: bytes, enough: int | None = None) -> Image.Image:
    """A stranger's file as an RGB image, upright as EXIF says.

    Transparency is laid on white, as a browser's page would show it.

    Args:
        enough: see `Crop`; None decodes every pixel.

    Raises:
        UnreadableError: see `opened`.
    """
    with opened(data) as image:
        width, height = image.size
        shorter = min(width, height)
        if enough is not None and image.format == "JPEG" and shorter > enough:
            # draft() picks the smallest decoding that is at least as large as asked for.
            wide, high = (-(-length * enough // shorter) for length in (width, height))
            image.draft(None, (wide, high))
        image.load()
        if orientation(image) != 1:
            # In place: a copy of a photograph takes longer than its decoding.
            ImageOps.exif_transpose(image, in_place=True)
        return _as_rgb(image)


def middle(rgb: Image.Image) -> Image.Image:
    """The middle of an image that is extremely long, and any other image as it is.

    Models look at the middle square of an image, after its shorter side was resized; all of an
    image of 1 x 50,000 pixels would then need gigabytes.
    """
    width, height = rgb.size
    longest = _LONGEST * min(width, height)
    if max(width, height) <= longest:
        return rgb
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return rgb.crop((left, top, width - left, height - top))


def _set_pillows_guard(max_pixels: int) -> None:
    """Keeps Pillow's own guard, at our limit: it raises at twice that, and need not warn below."""
    Image.MAX_IMAGE_PIXELS = max_pixels
    # Not `catch_warnings`, which is no good in threads: the last one out may put back the filters
    # of another.
    if _UNHEARD not in warnings.filters:
        warnings.filterwarnings("ignore", module=_UNHEARD[3].pattern)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # 16-bit greys: convert() would clip them all to white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # the same mode is a copy, too


Prepared = TypeVar("Prepared")


def decode_ahead(
    images: Sequence[bytes],
    prepare: Callable[[bytes], Prepared],
    batch: int,
    errors: dict[int, UnreadableError],
) -> Iterator[list[tuple[int, Prepared]]]:
    """The files that decode, as `prepare` makes them, with their places, in their order.

    Args:
        prepare: a file to whatever a model takes; raises UnreadableError.
        batch: so many files at a time.
        errors: gets the error of each file that does not decode, by its place.

    Yields:
        the readable ones of a batch; it may be none.
    """

    def attempt(data: bytes) -> Prepared | UnreadableError:
        try:
            return prepare(data)
        except UnreadableError as error:
            return error

    def readable(
        start: int, attempts: list[Future[Prepared | UnreadableError]]
    ) -> list[tuple[int, Prepared]]:
        good = []
        for place, attempted in enumerate(attempts, start):
            prepared = attempted.result()
            if isinstance(prepared, UnreadableError):
                errors[place] = prepared
            else:
                good.append((place, prepared))
        return good

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="decode") as pool:
        waiting: deque[tuple[int, list[Future[Prepared | UnreadableError]]]] = deque()
        for start in range(0, len(images), batch):
            files = images[start : start + batch]
            waiting.append((start, [pool.submit(attempt, data) for data in files]))
            if len(waiting) > _AHEAD:
                yield readable(*waiting.popleft())
        while waiting:
            yield readable(*waiting.popleft())
