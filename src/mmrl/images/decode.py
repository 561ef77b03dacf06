"""Decoder of strangers' image files: what it opens, how large, and what comes out.

How many pixels a file may have is the setting `images.max_pixels`, whoever decodes; fewer where its
format takes more memory than others to decode. Encoders are made from a profile, by the path of a
class, and get no settings; so the limit is set once for the process with `use_limit`, where a
command begins, as with the models' threads. What was taken in is then decoded by every later stage,
and under a limit that was lowered since, every stage refuses it alike.

Many files are decoded in a few threads (Pillow releases Python's lock in it) a bounded number of
batches ahead of the model, so that memory does not grow with the number of images.
"""

import io
import os
import re
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.formats import with_end, without_notes
from mmrl.images.image import UnreadableError

# No other of Pillow's decoders ever sees a stranger's file.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")
_ORIENTATION = 0x0112  # EXIF
_TURNS = {  # by orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_END = b"\xff\xd9"  # of a JPEG
_A_PIXEL = {  # bytes that decoding takes at most, measured; WebP holds three canvases and a copy
    "WEBP": 16,
    "AVIF": 12,
}
_ANY_PIXEL = 10  # of other formats: a progressive JPEG's coefficients and its image
_BYTES_AT_ONCE = 1_000_000_000  # decoded by all threads
_STRIP_PIXELS = 4_000_000
_LONGEST = 16  # times as long as wide
_AHEAD = 3  # batches decoded and not yet taken
_WORKERS = min(32, os.cpu_count() or 1)
_UNHEARD = ("ignore", None, Warning, re.compile(r"PIL\."), 0)  # an entry of `warnings.filters`

_max_pixels = ImageSettings().max_pixels


def use_limit(max_pixels: int) -> None:
    """Sets how many pixels (width x height) a file may have that is opened from here on."""
    global _max_pixels
    _max_pixels = max_pixels


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
        with Image.open(io.BytesIO(without_notes(data)), formats=formats) as image:
            _require_few_pixels(image, limit)
            if image.format == "JPEG" and _lacks_only_its_end(data, image.width * image.height):
                with Image.open(io.BytesIO(with_end(data)), formats=formats) as ended:
                    yield ended
            else:
                yield image
    except UnreadableError:
        raise
    except Image.DecompressionBombError:
        detail = f"more than {2 * limit:,} pixels, {limit:,} at most (images.max_pixels)"
        raise UnreadableError(detail, Reason.TOO_MANY_PIXELS) from None
    except Image.UnidentifiedImageError:  # its own words name an object's address
        raise UnreadableError("not an image, or its header can't be read") from None
    except Exception as error:  # decoders of hostile bytes raise whatever they like
        raise UnreadableError(f"{type(error).__name__}: {error}"[:200]) from error


def _require_few_pixels(image: Image.Image, limit: int) -> None:
    """Lets no file take more memory to decode than other formats do at their limit of pixels."""
    width, height = image.size
    most = limit * _ANY_PIXEL // max(_ANY_PIXEL, _a_pixel(image))
    if width * height > most:
        of = "" if most == limit else f" of {image.format}"
        detail = f"{width} x {height} pixels{of}, {most:,} at most (images.max_pixels)"
        raise UnreadableError(detail, Reason.TOO_MANY_PIXELS)


def _a_pixel(image: Image.Image) -> int:
    """Bytes that decoding takes for each pixel, at most."""
    return _A_PIXEL.get(image.format or "", _ANY_PIXEL)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of a loaded image, 1 to 8; from 5 on it lies on its side.

    It is 1 (upright) where the EXIF can't be read: an image is not refused for its notes.
    """
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # as above
        return 1
    return value if value in range(1, 9) else 1


def upright(image: Image.Image) -> Image.Image:
    """A loaded image turned as its EXIF says; the EXIF is not written anew, which can fail."""
    turn = _TURNS.get(orientation(image))
    return image if turn is None else image.transpose(turn)


@contextmanager
def loaded(image: Image.Image) -> Iterator[None]:
    """Decodes an opened image's pixels, and waits before that while too many are in memory.

    What is decoded by all threads at once stays under `_BYTES_AT_ONCE`, or is one image.
    """
    with _budget.of(image.width * image.height * _a_pixel(image)):
        image.load()
        yield


def eight_bits(image: Image.Image) -> Image.Image:
    """The image with greys of 16 bits scaled to 8; convert() would clip them all to white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "I":  # 16 bits of a file in 32 of Pillow's
        return Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    return image


def _lacks_only_its_end(data: bytes, pixels: int) -> bool:
    """Whether a JPEG holds every pixel, and only the mark at its end is missing.

    Then its pixels are the same, whatever is put behind it.
    """
    if data.endswith(_END) or _decodes(data):
        return False
    with _budget.of(2 * pixels * _ANY_PIXEL):
        first, second = (_pixels(with_end(data, filler)) for filler in (0, 1))
        return first is not None and second is not None and np.array_equal(first, second)


def _decodes(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.draft("L", (1, 1))
            image.load()
    except Exception:
        return False
    return True


def _pixels(data: bytes) -> np.ndarray | None:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return np.asarray(image)
    except Exception:
        return None


class _Budget:
    """Bytes that all threads of the process decode into at once."""

    def __init__(self) -> None:
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def of(self, size: int) -> Iterator[None]:
        """Waits until so many more fit; an image that is larger than all waits to be alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + size <= _BYTES_AT_ONCE)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()


_budget = _Budget()


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
        with loaded(image):
            return as_rgb(upright(image))


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


def as_rgb(image: Image.Image) -> Image.Image:
    """A loaded image as RGB, its transparency laid on white, as a browser's page shows it."""
    image = eight_bits(image)
    if image.has_transparency_data:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")  # the same mode is a copy, too


def _on_white(image: Image.Image) -> Image.Image:
    """Transparency laid on white, strip by strip: each copy of a large image is 400 MB."""
    ground = Image.new("RGB", image.size)
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(height, top + rows))).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        ground.paste(Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return ground


Given = TypeVar("Given")
Prepared = TypeVar("Prepared")


def in_threads(work: Callable[[Given], Prepared], items: Sequence[Given]) -> list[Prepared]:
    """What each item comes to, in their order; the first error is raised."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="decode") as pool:
        return list(pool.map(work, items))


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
