"""Images cut into patches, as Qwen3-VL's image tower takes them."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mmrl.images.decode import open_rgb
from mmrl.images.image import UnreadableError

_LONGEST = 200  # times as long as wide; its authors refuse more


@dataclass(frozen=True)
class Patches:
    """An image as the model takes it.

    Attributes:
        pixels: of shape (rows * columns, 3, side, side), uint8, in the order of the model's tokens:
            patches that are merged into one token stand together.
        rows, columns: how many patches there are, down and across.
    """

    pixels: np.ndarray
    rows: int
    columns: int


@dataclass(frozen=True)
class Grid:
    """The grid by which images are cut.

    Attributes:
        side: of a patch, in pixels.
        merge: this many patches down and across become one token.
        least, most: tokens of an image, but for an extremely long one.
    """

    side: int
    merge: int
    least: int
    most: int

    def patches(self, data: bytes) -> Patches:
        """A file's pixels, resized to whole tokens and no more than `most` of them.

        Raises:
            UnreadableError: see `open_rgb`; or the image is extremely long.
        """
        rgb = open_rgb(data)
        wide, high = self.size(*rgb.size)
        pixels = np.asarray(rgb.resize((wide, high), Image.Resampling.BICUBIC))
        rows, columns = high // self.side, wide // self.side
        cut = pixels.reshape(
            rows // self.merge,
            self.merge,
            self.side,
            columns // self.merge,
            self.merge,
            self.side,
            3,
        )
        ordered = cut.transpose(0, 3, 1, 4, 6, 2, 5).reshape(-1, 3, self.side, self.side)
        return Patches(np.ascontiguousarray(ordered), rows, columns)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of whole tokens, close to the image's shape, as its authors do."""
        if max(width, height) > _LONGEST * min(width, height):
            raise UnreadableError(
                f"{width} x {height} pixels: more than {_LONGEST} times as long as wide"
            )
        token = self.side * self.merge
        least, most = self.least * token**2, self.most * token**2
        wide, high = (round(length / token) * token for length in (width, height))
        if wide * high > most:
            scale = math.sqrt(width * height / most)
            wide, high = (
                max(token, math.floor(length / scale / token) * token) for length in (width, height)
            )
        elif wide * high < least:
            scale = math.sqrt(least / (width * height))
            wide, high = (math.ceil(length * scale / token) * token for length in (width, height))
        return wide, high
