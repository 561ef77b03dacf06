"""Occlusion map of a draft's image: what the prediction loses where a square of it is covered.

Each square of a grid is covered in turn with the image's mean colour, and the covered image goes
through captioner, encoders, statistics and model as any (Zeiler and Fergus 2014, "Visualizing and
understanding convolutional networks", section 4.2). Its size, bytes and history are the original's.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from mmrl.catalog.keys import image_content
from mmrl.errors import InputError
from mmrl.images.decode import open_rgb
from mmrl.serving.inputs.contents import ReadImage
from mmrl.serving.inputs.drafts import Drafts, ImageFile, single
from mmrl.serving.ranks.rank import Predictor

GRID = 6  # squares a side
_SIDE = 512  # pixels; larger images are made so large first, which is more than encoders see
TRUST = (
    "Rough: a covered square is also an odd thing to see. Squares work together, so these do not "
    "add up."
)


@dataclass(frozen=True)
class OcclusionMap:
    """What each square of an image adds to the prediction.

    Attributes:
        values: (grid, grid) from the top left, in the model's units: the prediction of the whole
            image less that with the square covered.
        unit: log_score (a difference of logarithms) or percentile.
        trust: how far to trust it, for people.
    """

    values: np.ndarray
    unit: str
    trust: str = TRUST

    def as_dict(self) -> dict[str, Any]:
        """For JSON; a list a row of squares."""
        return {"values": self.values.tolist(), "unit": self.unit, "trust": self.trust}


def occlude(predictor: Predictor, drafts: Drafts, grid: int = GRID) -> OcclusionMap:
    """Covers each square of a draft's image in turn.

    Args:
        drafts: one image, one title, one subreddit and one hour.
        grid: squares a side.

    Raises:
        InputError: they are several drafts, there is no image, or the model reads none.
    """
    squares = [[number] for number in range(grid * grid)]
    lost, unit = lost_without(predictor, drafts, squares, grid)
    return OcclusionMap(lost.reshape(grid, grid), unit)


def lost_without(
    predictor: Predictor, drafts: Drafts, covers: Sequence[Sequence[int]], grid: int = GRID
) -> tuple[np.ndarray, str]:
    """What the prediction loses under each of n covers, (n,), and its unit.

    Args:
        covers: the squares that each one covers, numbered along the rows.
    """
    one = single(drafts, drafts.hours[:1])
    if not one.images or not predictor.registered.model.encoding.spec.reads_images:
        raise InputError("There is no image to look at, or the model learned from none: give one.")
    ((read,),) = predictor.read_images([one])
    pixels = _pixels(read)
    images = [_as_image(read, pixels)]
    images += [_as_image(read, _covered(pixels, cover, grid)) for cover in covers]
    named = replace(one, images=[image.file for image in images])
    middle, unit = predictor.middles(named, images)
    return middle[0] - middle[1:], unit


def _pixels(read: ReadImage) -> np.ndarray:
    """(height, width, 3) uint8 of the image, made small."""
    image = open_rgb(read.file.data, _SIDE)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(image)


def _covered(pixels: np.ndarray, squares: Sequence[int], grid: int) -> np.ndarray:
    """With squares in the mean colour."""
    covered = pixels.copy()
    height, width = pixels.shape[:2]
    rows, columns = (np.linspace(0, side, grid + 1).round().astype(int) for side in (height, width))
    for square in squares:
        row, column = divmod(square, grid)
        part = np.s_[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
        covered[part] = pixels.reshape(-1, 3).mean(axis=0).round()
    return covered


def _as_image(read: ReadImage, pixels: np.ndarray) -> ReadImage:
    """Pixels as a file of their own, with the facts of the image that they are of."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "BMP")  # fast, and as they are
    data = file.getvalue()
    facts = replace(read.facts, sha256=image_content(data))
    return ReadImage(ImageFile(read.file.name, data), facts, read.key)
