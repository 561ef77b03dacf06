"""Thumbnails: small, bare of metadata, blurred where they must be."""

import base64
import io

import pytest
from PIL import Image

from mmrl.report.thumbnails import UnshowableError, thumbnail
from tests.support.report_factory import (
    image_file,
)


def test_a_thumbnail_is_small_and_carries_nothing_else() -> None:
    data = image_file(1, (4000, 3000))
    assert b"where the author lives" in data
    encoded = base64.b64decode(thumbnail(data).split(",")[1])
    shown = Image.open(io.BytesIO(encoded))
    assert max(shown.size) == 300
    assert not shown.getexif()
    assert b"where the author lives" not in encoded
    assert len(encoded) < 40_000


def test_a_jpegs_comment_stays_out_of_its_thumbnail() -> None:
    out = io.BytesIO()
    Image.new("RGB", (640, 480)).save(out, "JPEG", comment=b"where the author lives")
    assert b"where the author lives" in out.getvalue()
    assert b"where the author lives" not in base64.b64decode(
        thumbnail(out.getvalue()).split(",")[1]
    )


def test_a_blurred_thumbnail_has_lost_its_detail() -> None:
    stripes = Image.new("RGB", (300, 300), "white")
    for start in range(0, 300, 20):
        stripes.paste("black", (start, 0, start + 10, 300))
    out = io.BytesIO()
    stripes.save(out, "PNG")

    def contrast(blurred: bool) -> int:
        uri = thumbnail(out.getvalue(), blurred=blurred)
        grey = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("L")
        low, high = grey.getextrema()
        return int(high) - int(low)  # type: ignore[arg-type]

    assert contrast(blurred=False) > 200
    assert contrast(blurred=True) < 60


@pytest.mark.parametrize(
    "data", [b"", b"<svg onload=alert(1)>", image_file(0)[:200]], ids=["empty", "svg", "cut"]
)
def test_a_broken_image_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(UnshowableError, match="decoded"):
        thumbnail(data)


def test_an_image_of_too_many_pixels_is_refused_before_decoding() -> None:
    out = io.BytesIO()
    Image.new("1", (12_000, 10_000)).save(out, "PNG")
    with pytest.raises(UnshowableError, match="12000 x 10000 pixels, 100,000,000 at most"):
        thumbnail(out.getvalue())
