"""Colour histogram of an image: which share of it is near each of 125 colours.

The colours are a grid in CIE Lab, 5 of lightness by 5 of the red-green axis by 5 of the yellow-blue
one. A pixel counts for several of them, by a Gaussian of its distance along each axis, so that two
nearly equal images have nearly equal histograms (soft assignment: van Gemert et al. 2010, "Visual
word ambiguity"). Roots of shares are kept: their Euclidean distance is Hellinger's, under which a
rare colour counts, too.
"""

from functools import cache

import numpy as np

from mmrl.catalog.columns import COLOUR_BINS
from mmrl.images.measures.lab import lab

_LIGHT = np.linspace(10, 95, 5, dtype=np.float32)
_AXIS = np.linspace(-80, 80, 5, dtype=np.float32)
_LIGHT_WIDTH, _AXIS_WIDTH = 14.0, 25.0  # standard deviations, about two thirds of a step
_BITS = 5  # a channel, to which pixels are rounded first


def histogram(pixels: np.ndarray) -> np.ndarray:
    """Roots of shares that add up to 1, (COLOUR_BINS,) float32.

    Args:
        pixels: (..., 3) uint8, sRGB; one or more.
    """
    shifted = pixels.reshape(-1, 3).astype(np.int32) >> (8 - _BITS)
    number = (shifted[:, 0] << 2 * _BITS) | (shifted[:, 1] << _BITS) | shifted[:, 2]
    counts = np.bincount(number)
    colours = np.flatnonzero(counts)
    shares = (counts[colours] / len(number)).astype(np.float32)
    return np.sqrt(shares @ _nearness()[colours])


@cache
def _nearness() -> np.ndarray:
    """How much each rounded colour counts for each of the grid's, (32768, COLOUR_BINS) float32."""
    each = np.arange(1 << _BITS) * 255 // ((1 << _BITS) - 1)
    channels = np.stack(np.meshgrid(each, each, each, indexing="ij"), axis=-1).astype(np.uint8)
    light, red_green, yellow_blue = lab(channels.reshape(-1, 3))
    by_axis = (
        _gaussians(light, _LIGHT, _LIGHT_WIDTH)[:, :, None, None],
        _gaussians(red_green, _AXIS, _AXIS_WIDTH)[:, None, :, None],
        _gaussians(yellow_blue, _AXIS, _AXIS_WIDTH)[:, None, None, :],
    )
    near = (by_axis[0] * by_axis[1] * by_axis[2]).reshape(-1, COLOUR_BINS)
    return np.asarray(near / near.sum(axis=1, keepdims=True), np.float32)


def _gaussians(values: np.ndarray, grid: np.ndarray, width: float) -> np.ndarray:
    return np.asarray(np.exp(-0.5 * ((values[:, None] - grid) / width) ** 2), np.float32)
