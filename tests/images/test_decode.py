"""The decoder of strangers' files: its limit, its formats, and what it forgives."""

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from mmrl.catalog import Catalog
from mmrl.catalog.reasons import Reason
from mmrl.cli.app import app
from mmrl.config import ImageSettings, Settings
from mmrl.errors import NotFoundError
from mmrl.images.decode import open_rgb, opened, use_limit
from mmrl.images.image import UnreadableError
from mmrl.pipeline import Silent
from mmrl.pipeline import run as pipeline
from mmrl.purge.run import erase
from mmrl.serving.predict import predict_drafts
from mmrl.serving.prediction import Draft
from tests.support.command import python
from tests.support.image_server import image_file

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)


def saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


@pytest.mark.parametrize("pixels", [8_001, 16_001, 1_000_000])
def test_an_image_with_too_many_pixels_is_refused_before_decoding(
    pixels: int, monkeypatch: pytest.MonkeyPatch, pixel_limit: None
) -> None:
    def decode(image: Image.Image) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", decode)
    use_limit(8_000)
    with pytest.raises(UnreadableError, match=r"pixels, 8,000 at most") as caught:
        open_rgb(saved(Image.new("1", (pixels, 1)), "PNG"))
    assert caught.value.reason == Reason.TOO_MANY_PIXELS


def test_the_limit_may_be_reached_and_raised_above_pillows_own(pixel_limit: None) -> None:
    use_limit(8_000)
    assert open_rgb(image_file(1, (100, 80), "PNG")).size == (100, 80)
    use_limit(200_000_000)
    with opened(saved(Image.new("1", (200_000_000 // 1_000, 1_000)), "PNG")) as image:
        assert image.size == (200_000, 1_000)


def test_a_format_that_takes_more_memory_to_decode_may_have_fewer_pixels(pixel_limit: None) -> None:
    use_limit(8_000)
    for image_format, most in (("PNG", 8_000), ("JPEG", 8_000), ("AVIF", 6_666), ("WEBP", 5_000)):
        opens = saved(Image.new("RGB", (10, most // 10)), image_format)
        assert open_rgb(opens).size == (10, most // 10)
        with pytest.raises(UnreadableError, match=rf"{most:,} at most") as caught:
            open_rgb(saved(Image.new("RGB", (10, most // 10 + 1)), image_format))
        assert caught.value.reason == Reason.TOO_MANY_PIXELS


def test_a_limit_given_with_a_file_holds_for_that_file_alone() -> None:
    data = image_file(1, (100, 80), "PNG")
    with pytest.raises(UnreadableError, match="100 x 80 pixels, 7,999 at most"):  # noqa: SIM117
        with opened(data, max_pixels=7_999):
            pass
    assert open_rgb(data).size == (100, 80)


def _predict(catalog: Catalog, settings: Settings) -> None:
    with pytest.raises(NotFoundError):
        predict_drafts(catalog, settings, [Draft(None, "A title", "pics")], AS_OF)


def _run(catalog: Catalog, settings: Settings) -> None:
    pipeline.run(catalog, settings, ["filter"], AS_OF, Silent())


def _purge(catalog: Catalog, settings: Settings) -> None:
    erase(catalog, settings, {}, AS_OF, Silent())


def _report(catalog: Catalog, settings: Settings) -> None:
    Path(catalog.home, "mmrl.toml").write_text(
        f"[images]\nmax_pixels = {settings.images.max_pixels}\n", "utf-8"
    )
    assert CliRunner().invoke(app, ["report", "latest", "--home", catalog.home]).exit_code != 0


@pytest.mark.parametrize("command", [_run, _predict, _purge, _report])
def test_every_command_that_decodes_images_does_so_under_the_homes_setting(
    command: Callable[[Catalog, Settings], None], catalog: Catalog, pixel_limit: None
) -> None:
    command(catalog, Settings(images=ImageSettings(max_pixels=7_999)))
    with pytest.raises(UnreadableError, match="100 x 80 pixels, 7,999 at most"):
        open_rgb(image_file(1, (100, 80), "PNG"))


@pytest.mark.parametrize("image_format", ["ICO", "PPM", "TGA", "EPS"])
def test_formats_that_pages_do_not_show_are_never_opened(image_format: str) -> None:
    with pytest.raises(UnreadableError, match="not an image") as caught:
        open_rgb(saved(Image.new("RGB", (64, 48)), image_format))
    assert caught.value.reason == Reason.BROKEN_IMAGE


def test_what_trips_over_a_files_bytes_is_its_own_error() -> None:
    with pytest.raises(UnreadableError, match="OSError: image file is truncated"):
        open_rgb(image_file(3, (600, 400))[:5_000])


def test_an_image_is_not_refused_for_exif_that_cannot_be_read() -> None:
    data = saved(Image.new("RGB", (90, 60), "navy"), "JPEG", exif=b"Exif\0\0nonsense")
    assert open_rgb(data).size == (90, 60)


def test_no_warning_gets_out_of_any_thread(pixel_limit: None) -> None:
    use_limit(8_000)
    large = saved(Image.new("1", (120, 100)), "PNG")  # over the limit: Pillow would warn
    palette = saved(Image.new("P", (40, 40)), "PNG", transparency=bytes(range(200)))

    def attempt(data: bytes) -> None:
        try:
            open_rgb(data)
        except UnreadableError:
            assert data is large

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(attempt, [large, palette] * 100))
        with pytest.raises(UserWarning, match="not Pillow's"):
            warnings.warn("not Pillow's", stacklevel=1)


def test_no_warning_reaches_the_terminal() -> None:
    code = (
        "import io; from PIL import Image; from mmrl.images import decode\n"
        "file = io.BytesIO(); Image.new('1', (120, 100)).save(file, 'PNG')\n"
        "decode.use_limit(8_000)\n"
        "try: decode.open_rgb(file.getvalue())\n"
        "except decode.UnreadableError as error: print(error)"
    )
    ran = python(code)
    assert (ran.code, ran.out, ran.err) == (
        0,
        "120 x 100 pixels, 8,000 at most (images.max_pixels)\n",
        "",
    )
