"""Median cut: Pillow's colours, whatever the image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from mmrl.images.measures.median_cut import median_cut


def pillows(pixels: np.ndarray, most: int) -> list[tuple[list[int], int]]:
    cut = Image.fromarray(pixels).quantize(most, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = np.array(cut.getpalette(), np.uint8).reshape(-1, 3).tolist()
    counts = np.bincount(np.asarray(cut).ravel(), minlength=len(palette)).tolist()
    return list(zip(palette, counts, strict=True))


def ours(pixels: np.ndarray, most: int) -> list[tuple[list[int], int]]:
    palette, counts = median_cut(pixels, most)
    assert palette.dtype == np.uint8
    return list(zip(palette.tolist(), counts.tolist(), strict=True))


def picture(kind: str, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (96, 128, 3), np.uint8)
    if kind == "noise":
        return noise
    if kind == "few colours":
        return noise[:3, :3][random.integers(0, 3, (96, 128)), random.integers(0, 3, (96, 128))]
    if kind == "greys":
        return np.repeat(noise[..., :1], 3, axis=2)
    if kind == "even stripes":  # boxes of equal size, which one is cut first depends on the heap
        return np.tile(np.arange(128, dtype=np.uint8)[None, :, None] // 4 * 8, (96, 1, 3))
    if kind == "dark":
        return noise // 16
    coarse = Image.fromarray(noise[:6, :8]).resize((128, 96), Image.Resampling.BICUBIC)
    grain = random.normal(0, 4, (96, 128, 1))
    return np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("most", [1, 2, 16, 64])
@pytest.mark.parametrize(
    "kind", ["noise", "few colours", "greys", "even stripes", "dark", "photograph"]
)
def test_the_colours_and_their_shares_are_pillows(kind: str, most: int) -> None:
    for seed in range(3):
        pixels = picture(kind, seed)
        assert ours(pixels, most) == pillows(pixels, most)


@given(st.data(), st.integers(1, 12), st.integers(1, 12), st.sampled_from([2, 5, 256]))
def test_the_colours_of_any_pixels_are_pillows(
    data: st.DataObject, wide: int, high: int, values: int
) -> None:
    of_values = st.integers(0, values - 1).map(lambda value: value * (255 // (values - 1)))
    pixels = data.draw(arrays(np.uint8, (high, wide, 3), elements=of_values))
    assert ours(pixels, 16) == pillows(pixels, 16)
