"""Probing: what is a still image, and why anything else is refused."""

import hashlib
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, features

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.files import read_image
from mmrl.images.formats import SNIFFED_BYTES, sniff
from mmrl.images.image import FetchedImage, ImageFacts, Refused
from mmrl.images.placeholders import placeholder_at, placeholder_with
from mmrl.images.probe import probe
from mmrl.images.safety import Address
from tests.support.image_server import image_file

IMAGES = ImageSettings()
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", *(["AVIF"] if features.check("avif") else [])]


def reason(data: bytes, images: ImageSettings = IMAGES) -> Reason:
    got = probe(data, images)
    assert isinstance(got, Refused), got
    return got.reason


def facts(data: bytes) -> ImageFacts:
    got = probe(data, IMAGES)
    assert isinstance(got, ImageFacts), got
    return got


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, rows: bytes, *extra: bytes) -> bytes:
    """A grey PNG put together by hand, with a size that its rows need not have."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows, 9))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def moving(image_format: str) -> bytes:
    file = BytesIO()
    frames = [Image.new("RGB", (64, 48), color) for color in ("red", "green", "blue")]
    frames[0].save(file, image_format, save_all=True, append_images=frames[1:], duration=40)
    return file.getvalue()


def patterned(size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", size, "white")
    width, height = size
    pen = ImageDraw.Draw(image)
    pen.ellipse((width * 0.1, height * 0.2, width * 0.5, height * 0.9), fill="navy")
    pen.rectangle((width * 0.6, height * 0.1, width * 0.9, height * 0.4), fill="orange")
    return image


def saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


@pytest.mark.parametrize("image_format", FORMATS)
def test_still_images_of_common_formats_are_taken(image_format: str) -> None:
    data = image_file(1, (96, 64), image_format)
    got = facts(data)
    assert (got.width, got.height, got.format) == (96, 64, image_format)
    assert (got.sha256, got.byte_size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert len(got.phash) == 16
    assert int(got.phash, 16) > 0


@pytest.mark.parametrize("image_format", ["TIFF", "ICO", "PPM", "TGA"])
def test_other_formats_are_refused_though_pillow_reads_them(image_format: str) -> None:
    assert reason(image_file(1, (96, 64), image_format)) in (
        Reason.NOT_AN_IMAGE,
        Reason.FORMAT_NOT_READ,
    )


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
def test_animations_are_refused(image_format: str) -> None:
    assert reason(moving(image_format)) == Reason.ANIMATED


def test_a_phones_image_with_its_preview_is_a_still_jpeg() -> None:
    file = BytesIO()
    first, second = (Image.open(BytesIO(image_file(seed))) for seed in (1, 2))
    first.save(file, "MPO", save_all=True, append_images=[second])
    assert facts(file.getvalue()).format == "JPEG"


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_files_are_refused(image_format: str, share: float) -> None:
    data = image_file(3, (600, 400), image_format)
    assert reason(data[: int(len(data) * share)]) == Reason.BROKEN_IMAGE


def test_a_file_that_only_begins_like_an_image_is_refused() -> None:
    assert reason(b"\x89PNG\r\n\x1a\n" + b"<html>" * 50) == Reason.BROKEN_IMAGE
    assert reason(b"\xff\xd8\xff\xe0" + image_file(1, image_format="PNG")) == Reason.BROKEN_IMAGE


@pytest.mark.parametrize("data", [b"", b"GIF", b"<html></html>", b"%PDF-1.7", b"\0" * 100])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    assert reason(data) == Reason.NOT_AN_IMAGE


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "the file is empty"),
        (b"no picture", "the file begins with the text 'no picture'"),
        (b"<b>it's a page</b>", "the file begins with the text '<b>it's a pa'"),
        (
            b"\0\x1b[2J\xff" + b"\0" * 20,
            "the file begins with the bytes " + "00 1b 5b 32 4a ff" + " 00" * 6,
        ),
    ],
)
def test_what_is_no_image_is_told_in_words(data: bytes, detail: str) -> None:
    assert probe(data, IMAGES) == Refused(Reason.NOT_AN_IMAGE, detail)


@pytest.mark.parametrize(
    ("width", "height"), [(50_000, 50_000), (2_000_000_000, 1), (20_000, 9_000)]
)
def test_a_bomb_is_refused_by_its_header_and_never_decoded(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(image: Image.Image) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", decode)
    bomb = png(width, height, bytes(1_000_000))
    assert len(bomb) < 2_000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = probe(bomb, IMAGES)
    assert isinstance(got, Refused)
    assert got.reason == Reason.TOO_MANY_PIXELS
    assert "100,000,000 at most" in got.detail


def test_the_pixel_limit_is_the_settings_own() -> None:
    data = image_file(1, (100, 80), "PNG")
    exact = ImageSettings(max_pixels=8_000)
    assert isinstance(probe(data, exact), ImageFacts)
    assert reason(data, ImageSettings(max_pixels=7_999)) == Reason.TOO_MANY_PIXELS


def test_small_images_are_refused() -> None:
    assert reason(image_file(1, (200, 15))) == Reason.TOO_SMALL
    facts(image_file(1, (16, 16)))


def test_size_is_as_people_see_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = saved(patterned((90, 60)).transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)
    got = facts(turned)
    assert (got.width, got.height) == (90, 60)
    upright = facts(saved(patterned((90, 60)), "JPEG"))
    assert (int(got.phash, 16) ^ int(upright.phash, 16)).bit_count() <= 4


def test_unreadable_exif_does_not_refuse_an_image() -> None:
    got = facts(saved(patterned((90, 60)), "JPEG", exif=b"Exif\0\0nonsense"))
    assert (got.width, got.height) == (90, 60)


def test_the_perceptual_hash_survives_another_size_and_format() -> None:
    large, small = (
        int(facts(saved(patterned(size), name)).phash, 16)
        for size, name in [((1500, 1000), "JPEG"), ((300, 200), "PNG")]
    )
    other = int(facts(image_file(5, (300, 200))).phash, 16)
    assert (large ^ small).bit_count() <= 4
    assert (large ^ other).bit_count() >= 12


@pytest.mark.parametrize(("width", "height", "byte_size"), [(161, 81, 503), (130, 60, 1048)])
def test_the_hosts_own_files_for_removed_images_are_recognised(
    width: int, height: int, byte_size: int
) -> None:
    rows = bytes(height * (width + 1))
    padding = byte_size - len(png(width, height, rows)) - 12
    stand_in = png(width, height, rows, chunk(b"prIv", bytes(padding)))
    assert len(stand_in) == byte_size
    assert reason(stand_in) == Reason.IMAGE_REMOVED_PLACEHOLDER
    longer = png(width, height, rows, chunk(b"prIv", bytes(padding + 1)))
    assert isinstance(probe(longer, IMAGES), ImageFacts)
    assert placeholder_with("JPEG", width, height, byte_size) is None


def test_only_imgurs_removed_png_is_a_placeholders_address() -> None:
    assert placeholder_at(Address("http", "i.imgur.com", 80, "/removed.png")) is not None
    assert placeholder_at(Address("https", "i.imgur.com", 443, "/abcdefg.png")) is None
    assert placeholder_at(Address("https", "i.redd.it", 443, "/removed.png")) is None


@settings(max_examples=200)
@given(
    image_format=st.sampled_from(FORMATS),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    keep=st.floats(0, 1),
)
def test_damaged_files_end_as_facts_or_as_a_reason(
    image_format: str, edits: list[tuple[float, int]], keep: float
) -> None:
    data = bytearray(image_file(6, (48, 32), image_format))
    for place, value in edits:
        data[int(place * (len(data) - 1))] = value
    got = probe(bytes(data[: int(len(data) * keep)]), IMAGES)
    assert isinstance(got, ImageFacts | Refused)


@given(st.binary(max_size=64))
def test_sniffing_reads_nothing_past_its_bytes(data: bytes) -> None:
    assert sniff(data) == sniff(data[:SNIFFED_BYTES])


def test_a_file_is_read_where_the_catalog_says(tmp_path: Path) -> None:
    path = tmp_path / "böse 100%.jpg"
    path.write_bytes(image_file(7))
    got = read_image(path.as_uri(), IMAGES)
    assert isinstance(got, FetchedImage)
    assert (got.data, got.final_url) == (path.read_bytes(), path.as_uri())


def test_missing_large_and_foreign_files_have_their_reasons(tmp_path: Path) -> None:
    def refused(path: str | Path, images: ImageSettings = IMAGES) -> Reason:
        got = read_image(path if isinstance(path, str) else path.as_uri(), images)
        assert isinstance(got, Refused)
        return got.reason

    outside, folder = tmp_path / "outside.jpg", tmp_path / "images"
    folder.mkdir()
    outside.write_bytes(image_file(8))
    link = folder / "link.jpg"
    link.symlink_to(outside)
    assert refused(folder / "none.jpg") == Reason.FILE_MISSING
    assert refused(folder) == Reason.FILE_MISSING
    assert refused(outside, ImageSettings(max_bytes=100)) == Reason.TOO_MANY_BYTES
    assert refused(link) == Reason.HOST_NOT_ALLOWED
    assert refused(f"file://{folder}/../outside.jpg") == Reason.HOST_NOT_ALLOWED
    assert refused(f"file://elsewhere{outside}") == Reason.HOST_NOT_ALLOWED
    assert refused("file:///dev/zero") == Reason.FILE_MISSING
    assert refused("file:///a%00b") == Reason.FILE_MISSING


def test_a_folder_that_has_become_a_link_since_the_import_hands_nothing_over(
    tmp_path: Path,
) -> None:
    folder, elsewhere = tmp_path / "images" / "pics", tmp_path / "elsewhere"
    for place in (folder, elsewhere):
        place.mkdir(parents=True)
        (place / "a.jpg").write_bytes(image_file(9))
    noted = (folder / "a.jpg").as_uri()
    assert isinstance(read_image(noted, IMAGES), FetchedImage)
    (folder / "a.jpg").unlink()
    folder.rmdir()
    folder.symlink_to(elsewhere)
    refused = read_image(noted, IMAGES)
    assert isinstance(refused, Refused)
    assert refused.reason == Reason.HOST_NOT_ALLOWED
    assert "has become a link since the import" in refused.detail
    assert refused.transient  # it may be put back
    folder.unlink()
    folder.symlink_to(folder)  # a loop
    looped = read_image(noted, IMAGES)
    assert isinstance(looped, Refused)
    assert looped.reason == Reason.FILE_MISSING
