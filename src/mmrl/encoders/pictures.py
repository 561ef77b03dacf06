"""Image files to pixels, ahead of the model.

Decoding runs in a few threads (Pillow releases Python's lock in it) a bounded number of batches
ahead of the model, so that memory does not grow with the number of pictures.
"""

import io
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

MAX_PIXELS = 100_000_000  # refused before decoding: a small file can unfold to gigabytes
_LONGEST = 16  # times as long as wide
_AHEAD = 3  # batches decoded and not yet taken
_WORKERS = min(32, os.cpu_count() or 1)


class UnreadableError(Exception):
    """One file does not decode; the message says why."""


@dataclass(frozen=True)
class Crop:
    """How a picture becomes a square: the centre of it, resized (bicubic, antialiased).

    Attributes:
        side: of the result, in pixels.
        share: of the picture's shorter side that is kept.
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
    """A stranger's file as an RGB picture, upright as EXIF says.

    Transparency is laid on white, as a browser's page would show it.

    Args:
        enough: see `Crop`; None decodes every pixel.

    Raises:
        UnreadableError: the file is broken, no picture, or larger than `MAX_PIXELS`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own, lower warning about pixels
            return _open(data, enough)
    except UnreadableError:
        raise
    except Image.UnidentifiedImageError:
        raise UnreadableError("not a picture that Pillow knows") from None
    # Pillow's plug-ins raise whatever a malformed file makes them trip over.
    except Exception as error:
        raise UnreadableError(f"{type(error).__name__}: {error}"[:200]) from error


def middle(rgb: Image.Image) -> Image.Image:
    """The middle of a picture that is extremely long, and any other picture as it is.

    Models look at the middle square of a picture, after its shorter side was resized; all of a
    picture of 1 x 50,000 pixels would then need gigabytes.
    """
    width, height = rgb.size
    longest = _LONGEST * min(width, height)
    if max(width, height) <= longest:
        return rgb
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return rgb.crop((left, top, width - left, height - top))


def _open(data: bytes, enough: int | None) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise UnreadableError(f"{width} x {height} pixels, more than {MAX_PIXELS:,}")
        shorter = min(width, height)
        if enough is not None and image.format == "JPEG" and shorter > enough:
            # draft() picks the smallest decoding that is at least as large as asked for.
            wanted = [-(-length * enough // shorter) for length in (width, height)]
            image.draft(None, (wanted[0], wanted[1]))
        # In place: a copy of a photograph takes longer than its decoding.
        ImageOps.exif_transpose(image, in_place=True)
        return _as_rgb(image)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # 16-bit greys: convert() would clip them all to white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # the same mode is a copy, too


Prepared = TypeVar("Prepared")


def decode_ahead(
    images: Sequence[bytes], prepare: Callable[[bytes], Prepared], batch: int
) -> Iterator[list[Prepared | UnreadableError]]:
    """What `prepare` makes of the files, in their order, `batch` at a time.

    A picture that does not decode stands as its error, so that it fails alone.

    Args:
        prepare: a file to whatever a model takes; raises UnreadableError.
    """

    def attempt(data: bytes) -> Prepared | UnreadableError:
        try:
            return prepare(data)
        except UnreadableError as error:
            return error

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="decode") as pool:
        waiting: deque[list[Future[Prepared | UnreadableError]]] = deque()
        for start in range(0, len(images), batch):
            waiting.append([pool.submit(attempt, data) for data in images[start : start + batch]])
            if len(waiting) > _AHEAD:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
