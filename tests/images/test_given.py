"""Images as people hand them over."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmrl.errors import InputError, NotFoundError
from mmrl.images.given import image_bytes


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "F"])
def test_a_pillow_image_becomes_a_file_of_the_same_size(mode: str) -> None:
    given = Image.new("RGB", (20, 10), (200, 100, 50)).convert(mode)
    with Image.open(io.BytesIO(image_bytes(given))) as read:
        assert read.size == (20, 10)


def test_a_pillow_image_keeps_its_pixels_and_the_way_it_is_turned(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (8, 6, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = 6
    with Image.open(io.BytesIO(image_bytes(image))) as read:
        assert np.array_equal(np.asarray(read), pixels)
        assert read.getexif()[0x0112] == 6


def test_paths_and_bytes_are_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(b"whatever it is")
    assert image_bytes(path) == image_bytes(str(path)) == image_bytes(b"whatever it is")


@pytest.mark.parametrize("given", [b"12345", "five"])
def test_what_is_too_large_is_refused(given: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / "five"
    path.write_bytes(b"12345")
    with pytest.raises(InputError, match="larger than 4 bytes"):
        image_bytes(path if given == "five" else given, 4)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no image file"):
        image_bytes(tmp_path / "absent.png")
    with pytest.raises(InputError, match="An image is int: give a path"):
        image_bytes(3)  # type: ignore[arg-type]
