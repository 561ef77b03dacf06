"""Colour histograms: shares of one image, near for near colours, whatever the image's size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmrl.catalog.columns import COLOUR_BINS
from mmrl.images.measures.colours import histogram


def plain(*colour: int) -> np.ndarray:
    return np.full((2, 2, 3), colour, np.uint8)


@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))))
def test_roots_of_shares_that_add_up_to_one_wherever_the_pixels_stand(pixels: np.ndarray) -> None:
    made = histogram(pixels)
    assert made.shape == (COLOUR_BINS,)
    assert made.dtype == np.float32
    assert (made**2).sum() == pytest.approx(1, abs=1e-4)
    np.testing.assert_array_equal(made, histogram(pixels[::-1, ::-1]))
    np.testing.assert_allclose(made, histogram(np.tile(pixels, (2, 1, 1))), atol=1e-6)


def test_near_colours_are_nearer_than_far_ones() -> None:
    red, nearly_red, blue = (
        histogram(plain(*colour)) for colour in ((220, 20, 20), (205, 30, 35), (20, 20, 220))
    )
    assert np.linalg.norm(red - nearly_red) < 0.3 * np.linalg.norm(red - blue)


@pytest.mark.parametrize(
    ("colour", "place"),
    [  # by lightness, red-green and yellow-blue, each from 0 to 4
        ((0, 0, 0), (0, 2, 2)),
        ((255, 255, 255), (4, 2, 2)),
        ((119, 119, 119), (2, 2, 2)),
        ((255, 0, 0), (2, 4, 4)),  # L 53, a 80, b 67
        ((0, 0, 255), (1, 4, 0)),  # L 32, a 79, b -108
        ((255, 255, 0), (4, 1, 4)),  # L 97, a -22, b 94
    ],
)
def test_a_plain_image_is_nearest_to_its_own_colour(
    colour: tuple[int, int, int], place: tuple[int, int, int]
) -> None:
    shares = histogram(plain(*colour)).reshape(5, 5, 5)
    assert np.unravel_index(shares.argmax(), shares.shape) == place


def test_an_image_of_two_colours_lies_between_them() -> None:
    red, blue = plain(220, 20, 20), plain(20, 20, 220)
    both = histogram(np.concatenate([red, blue])) ** 2
    alone = (histogram(red) ** 2 + histogram(blue) ** 2) / 2
    np.testing.assert_allclose(both, alone, atol=1e-6)
