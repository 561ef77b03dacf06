"""Text in images: what is read of drawn letters, and what is left alone."""

import io
import sys

import pytest
from PIL import Image, ImageDraw, ImageFont

from mmrl.catalog import Reason
from mmrl.encoders import image_text
from mmrl.encoders.image_text import read_texts
from mmrl.errors import ConfigError


def written(*lines: str, size: tuple[int, int] = (900, 700)) -> bytes:
    """A PNG of black lines on white, the first at its top."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        draw.text((60, 60 + 120 * row), line, font=ImageFont.load_default(48), fill="black")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_lines_are_read_from_top_to_bottom_and_an_image_without_text_gives_none() -> None:
    read = read_texts([written("WHEN YOU FIX ONE BUG", "two more appear"), written()])
    assert read.places == [0, 1]
    assert read.results == ["WHEN YOU FIX ONE BUG two more appear", ""]
    assert not read.failures


def test_images_that_do_not_decode_or_are_gone_fail_alone() -> None:
    read = read_texts([None, b"no image", written("HELLO WORLD")])
    assert (read.places, read.results) == ([2], ["HELLO WORLD"])
    assert set(read.failures) == {0, 1}
    assert {failure.reason for failure in read.failures.values()} == {Reason.BROKEN_IMAGE}


def test_a_long_narrow_image_is_read_as_any_other() -> None:
    assert read_texts([written("BREAKING NEWS", size=(3000, 180))]).results == ["BREAKING NEWS"]


def test_a_single_letter_is_no_text() -> None:
    assert image_text._joined(["I", "-"]) == ""
    assert image_text._joined([" OK ", "then"]) == "OK then"


def test_without_the_extra_a_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image_text._engine.cache_clear()
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ConfigError, match=r"mmrl\[ocr\]"):
        read_texts([written()])
