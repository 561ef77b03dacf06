"""An image as CLIP's towers take it: the centre square, 224 pixels a side."""

import numpy as np
from PIL import Image

from mmrl.images.decode import middle, open_rgb

SIDE = 224  # pixels
# Of each colour, for pixels from 0 to 1; from openai/CLIP's own preparation.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def square(data: bytes) -> np.ndarray:
    """A file as pixels of shape (224, 224, 3), uint8, RGB.

    As published: the shorter side to 224 pixels (bicubic, antialiased), then the centre. Unlike
    the published code, an image is turned upright and transparency laid on white first.

    Raises:
        UnreadableError: see `open_rgb`.
    """
    rgb = middle(open_rgb(data))
    width, height = rgb.size
    shorter = min(width, height)
    # The sizes and the corner in whole pixels as torchvision's Resize and CenterCrop round them.
    wide, high = int(SIDE * width / shorter), int(SIDE * height / shorter)
    left, top = round((wide - SIDE) / 2), round((high - SIDE) / 2)
    centre = (left, top, left + SIDE, top + SIDE)
    return np.asarray(rgb.resize((wide, high), Image.Resampling.BICUBIC).crop(centre))
