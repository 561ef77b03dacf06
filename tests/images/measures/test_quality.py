"""Statistics of images: finite for whatever decodes, known for plain and striped images."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from mmrl.images.image import UnreadableError
from mmrl.images.measures.lab import lab
from mmrl.images.measures.quality import SIDE, STATISTICS, measure, measure_file
from tests.support.image_server import image_file

SIDES = st.integers(1, 40)


def named(image: Image.Image) -> dict[str, float]:
    return dict(zip(STATISTICS, measure(image).statistics.tolist(), strict=True))


def saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def striped(width: int, height: int, *, period: int, upright: bool) -> Image.Image:
    """Black and white stripes, each half a period wide."""
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    white = ((across if upright else down) // (period // 2)) % 2
    return Image.fromarray((white * 255).astype(np.uint8)).convert("RGB")


@given(st.data(), SIDES, SIDES)
def test_every_statistic_is_finite_for_any_pixels(
    data: st.DataObject, wide: int, high: int
) -> None:
    pixels = data.draw(arrays(np.uint8, (high, wide, 3)))
    values = measure(Image.fromarray(pixels)).statistics
    assert values.dtype == np.float32
    assert values.shape == (len(STATISTICS),)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 5_000), (5_000, 1), (2, 3), (700, 8)])
def test_every_statistic_is_finite_for_extreme_shapes(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    assert np.isfinite(measure(Image.fromarray(noise)).statistics).all()


def test_no_name_stands_twice() -> None:
    assert len(set(STATISTICS)) == len(STATISTICS)


def test_lab_is_that_of_known_colours() -> None:
    # sRGB red, green, blue, white and a middle grey (D65), as colour tables print them.
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [119, 119, 119]])
    expected = [
        [53.24, 80.09, 67.20],
        [87.73, -86.18, 83.18],
        [32.30, 79.19, -107.86],
        [100.0, 0.0, 0.0],
        [50.03, 0.0, 0.0],
    ]
    found = np.stack(lab(colours.astype(np.uint8)), axis=1)
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_plain_image_has_no_contrast_no_edges_and_one_colour() -> None:
    values = named(Image.new("RGB", (300, 200), (255, 0, 0)))
    assert values["light_q50"] == pytest.approx(53.24, abs=0.05)
    assert values["light_spread"] == pytest.approx(0, abs=1e-4)
    assert values["edge_share"] == values["stroke_share"] == 0
    assert values["log_coarse_colours"] == values["main_distance_mean"] == 0
    assert values["top_colour_share"] == values["empty_share"] == values["flat_share"] == 1
    assert values["symmetry_left_right"] == values["symmetry_top_bottom"] == 1
    assert values["main_colours"] == values["vivid_share"] == values["saturation_mean"] == 1
    assert values["hue_concentration"] == pytest.approx(1)
    assert values["hue_45"] == pytest.approx(1)  # red lies at 40 degrees
    # Hasler and Suesstrunk: no spread, so 0.3 times the length of the mean of (R - G, (R+G)/2 - B).
    assert values["colourfulness"] == pytest.approx(0.3 * np.hypot(1, 0.5), abs=1e-6)


def test_greys_have_no_hue() -> None:
    ramp = Image.linear_gradient("L").convert("RGB")
    values = named(ramp)
    assert values["grey_share"] == 1
    assert {value for name, value in values.items() if name.startswith("hue_")} == {0}
    assert values["light_q05"] < values["light_q50"] < values["light_q95"]
    assert values["symmetry_left_right"] == pytest.approx(1)
    assert values["symmetry_top_bottom"] < 0


def test_a_hue_and_its_opposite_are_one_axis_and_no_direction() -> None:
    # Equal chroma at 90 and 270 degrees would cancel; a yellow and a blue nearly do.
    both = Image.new("RGB", (100, 100), (200, 180, 60))
    both.paste((70, 110, 200), (0, 0, 100, 50))
    values = named(both)
    assert values["hue_axis_concentration"] > 0.9
    assert values["hue_concentration"] < 0.3
    assert values["main_colours"] == 2


def test_stripes_are_half_white_with_known_edges() -> None:
    values = named(striped(128, 128, period=16, upright=True))
    assert values["light_q05"] == pytest.approx(0, abs=0.01)
    assert values["light_q95"] == pytest.approx(100, abs=0.01)
    assert values["light_spread"] == pytest.approx(50, abs=0.01)
    # 15 edges in 127 steps along each row, none down the columns.
    assert values["edge_share"] == pytest.approx(15 / 127 / 2)
    assert values["gradient_mean"] == pytest.approx(15 / 127)
    assert values["log_fine_colours"] == pytest.approx(np.log(2))
    assert values["top_colour_share"] == 0.5
    assert values["empty_share"] == 1  # each cell of 8 x 8 lies within a stripe
    assert values["symmetry_left_right"] == pytest.approx(-1)
    assert values["symmetry_top_bottom"] == pytest.approx(1)


def test_thin_upright_strokes_look_like_writing_and_wide_or_lying_ones_do_not() -> None:
    thin = named(striped(128, 128, period=8, upright=True))["stroke_share"]
    wide = named(striped(128, 128, period=32, upright=True))["stroke_share"]
    lying = named(striped(128, 128, period=8, upright=False))["stroke_share"]
    assert thin == pytest.approx(30 / 127)  # all of the 31 edges but the last one begin a stroke
    assert wide == lying == 0


def test_lines_of_writing_make_the_rows_uneven() -> None:
    page = np.full((128, 128), 255, np.uint8)
    letters = np.asarray(striped(128, 128, period=8, upright=True).convert("L"))
    lines = (np.arange(128) // 8) % 2 == 0
    page[lines] = letters[lines]
    everywhere = named(striped(128, 128, period=8, upright=True))
    written = named(Image.fromarray(page).convert("RGB"))
    assert written["text_rows"] > 0.8
    assert everywhere["text_rows"] == 0


def test_a_blurred_image_is_less_sharp() -> None:
    sharp = Image.open(BytesIO(image_file(3, (256, 256), "PNG"))).convert("RGB")
    noisy = Image.effect_noise((256, 256), 60).convert("RGB")
    assert named(sharp)["log_sharpness"] < named(noisy)["log_sharpness"] - 2


@pytest.mark.parametrize(
    ("image_format", "options"),
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})],
)
def test_the_same_pixels_in_another_format_give_the_same_numbers(
    image_format: str, options: dict[str, object]
) -> None:
    image = Image.open(BytesIO(image_file(4, (640, 480), "PNG"))).convert("RGB")
    data = saved(image, image_format, **options)
    assert measure_file(data).statistics.tobytes() == measure(image).statistics.tobytes()


def test_a_photograph_and_its_jpeg_are_alike() -> None:
    image = Image.open(BytesIO(image_file(5, (2_000, 1_500), "PNG"))).convert("RGB")
    exact = measure(image).statistics
    jpeg = measure_file(saved(image, "JPEG", quality=92)).statistics
    close = dict(zip(STATISTICS, zip(exact, jpeg, strict=True), strict=True))
    for name in ("light_q50", "light_spread", "chroma_mean", "colourfulness", "hue_90"):
        assert close[name][1] == pytest.approx(close[name][0], rel=0.05, abs=0.01), name


def test_a_large_image_is_measured_in_a_small_copy() -> None:
    large = striped(8 * SIDE, 4 * SIDE, period=2 * SIDE, upright=True)
    small = striped(SIDE, SIDE // 2, period=SIDE // 4, upright=True)
    measures = measure(large), measure(small)
    np.testing.assert_allclose(*(each.statistics for each in measures), atol=1e-4)


def test_a_file_that_does_not_decode_is_refused_with_the_decoders_reason() -> None:
    with pytest.raises(UnreadableError, match="truncated"):
        measure_file(image_file(3, (600, 400))[:5_000])
