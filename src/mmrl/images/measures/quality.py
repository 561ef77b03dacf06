"""Statistics of an image: colour, light, contrast, sharpness, form, main colours.

They are computed from small copies, form from at most `SIDE` pixels a side and colour from half of
that, so that a photograph of 12 megapixels costs as much as a thumbnail. Lightness L (0 to 100),
the red-green axis a and the yellow-blue axis b are those of CIE Lab (CIE 15:2004, white D65), in
which equal distances look about equally far apart; chroma is the length of (a, b), hue its angle.
The same pixels give the same numbers, whatever the file's format.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from mmrl.catalog.columns import IMAGE_STATISTICS
from mmrl.images.decode import open_rgb
from mmrl.images.measures.colours import histogram
from mmrl.images.measures.lab import lab, lightness
from mmrl.images.measures.median_cut import median_cut

STATISTICS = IMAGE_STATISTICS
VERSION = "1"  # raised when any number changes: all images are measured again
SIDE = 256  # the longer side of what is measured, in pixels

_DARK, _BRIGHT = 20, 90  # lightness
_COLOURLESS = 1.0  # chroma that nobody sees: a just noticeable difference is 2.3 (Mahy 1994)
_GREY, _VIVID = 6, 60  # chroma
_HUES = 8
_MAIN_COLOURS = 16
_MAIN_SHARE = 0.002  # of the pixels, at least
_EDGE, _STROKE_EDGE, _FLAT = 0.15, 0.2, 0.004  # steps of lightness, 0 to 1, from pixel to pixel
_STROKE_PIXELS = 6  # a stroke of a letter is at most so wide in the small copy
_CELL, _EMPTY = 8, 2.0  # pixels a side; difference of lightness within an empty cell


@dataclass(frozen=True)
class Measures:
    """What is measured of an image.

    Attributes:
        statistics: (len(STATISTICS),) float32, all finite.
        colours: (COLOUR_BINS,) float32, its colour histogram.
    """

    statistics: np.ndarray
    colours: np.ndarray


def measure_file(data: bytes) -> Measures:
    """The measures of an image file: see `measure`.

    Raises:
        UnreadableError: see `decode.open_rgb`.
    """
    return measure(open_rgb(data, SIDE))


def measure(rgb: Image.Image) -> Measures:
    """The measures of an RGB image of any size. Takes about 5 MB beside the image."""
    small = _shrunk(rgb, SIDE)
    smaller = _shrunk(small, SIDE // 2)
    pixels = np.asarray(smaller)
    light, red_green, yellow_blue = lab(pixels)
    chroma = np.hypot(red_green, yellow_blue)
    detail = lightness(np.asarray(small)) / 100
    values = {
        **_light(light),
        **_colour(light, red_green, yellow_blue, chroma),
        **_hues(red_green, yellow_blue, chroma),
        **_as_displayed(pixels),
        **_main_colours(pixels),
        **_form(detail),
        **_text_and_emptiness(detail),
    }
    statistics = np.array([values[name] for name in STATISTICS], dtype=np.float32)
    return Measures(statistics, histogram(pixels))


def _shrunk(rgb: Image.Image, side: int) -> Image.Image:
    """The image in at most `side` x `side` pixels, each the mean of those it stands for."""
    shrink = max(rgb.size) / side
    if shrink <= 1:
        return rgb
    width, height = (max(1, round(length / shrink)) for length in rgb.size)
    return rgb.resize((width, height), Image.Resampling.BOX)


def _light(light: np.ndarray) -> dict[str, float]:
    """How bright, and with how much contrast (the standard deviation: Peli 1990)."""
    quantiles = np.percentile(light, (5, 25, 50, 75, 95))
    mean, spread = light.mean(), light.std()
    return {
        **dict(zip((f"light_q{q:02}" for q in (5, 25, 50, 75, 95)), quantiles, strict=True)),
        "light_spread": spread,
        "light_skew": ((light - mean) ** 3).mean() / max(spread, 0.1) ** 3,
        "dark_share": (light < _DARK).mean(),
        "bright_share": (light > _BRIGHT).mean(),
    }


def _colour(
    light: np.ndarray, red_green: np.ndarray, yellow_blue: np.ndarray, chroma: np.ndarray
) -> dict[str, float]:
    """How colourful, and what the light parts have of red and yellow more than the dark ones."""
    middle = np.median(light)
    above, below = light >= middle, light <= middle
    q10, q90 = np.percentile(chroma, (10, 90))
    return {
        "red_green_mean": red_green.mean(),
        "red_green_spread": red_green.std(),
        "yellow_blue_mean": yellow_blue.mean(),
        "yellow_blue_spread": yellow_blue.std(),
        "chroma_q10": q10,
        "chroma_q90": q90,
        "chroma_mean": chroma.mean(),
        "chroma_spread": chroma.std(),
        "grey_share": (chroma < _GREY).mean(),
        "vivid_share": (chroma > _VIVID).mean(),
        "light_chroma_correlation": _correlation(light, chroma, 0.0),
        "light_parts_red_green": red_green[above].mean() - red_green[below].mean(),
        "light_parts_yellow_blue": yellow_blue[above].mean() - yellow_blue[below].mean(),
    }


def _hues(red_green: np.ndarray, yellow_blue: np.ndarray, chroma: np.ndarray) -> dict[str, float]:
    """Circular statistics of hue (Mardia and Jupp 2000), each pixel weighted by its chroma.

    All are 0 where nothing has a colour. `hue_axis_concentration` is 1 for a hue and its opposite;
    `hue_90` is the share of chroma whose hue is nearest to 90 degrees.
    """
    coloured = chroma >= _COLOURLESS
    if not coloured.any():
        return dict.fromkeys((*_HUE_SUMMARY, *_HUE_SHARES), 0.0)
    weight = chroma[coloured].astype(np.float64)
    hue = np.arctan2(yellow_blue[coloured], red_green[coloured])
    total = weight.sum()
    cosine, sine = (weight * np.cos(hue)).sum() / total, (weight * np.sin(hue)).sum() / total
    axis = np.hypot((weight * np.cos(2 * hue)).sum(), (weight * np.sin(2 * hue)).sum()) / total
    nearest = np.rint(hue * (_HUES / (2 * np.pi))).astype(np.int64) % _HUES
    shares = np.bincount(nearest, weight, _HUES) / total
    summary = (cosine, sine, np.hypot(cosine, sine), axis)
    return dict(zip((*_HUE_SUMMARY, *_HUE_SHARES), (*summary, *shares), strict=True))


_HUE_SUMMARY = ("hue_cosine", "hue_sine", "hue_concentration", "hue_axis_concentration")
_HUE_SHARES = tuple(f"hue_{step * 360 // _HUES}" for step in range(_HUES))


def _as_displayed(pixels: np.ndarray) -> dict[str, float]:
    """Saturation (of HSV), colourfulness (Hasler and Suesstrunk 2003), and how many colours.

    Coarse colours have 4 bits a channel and 0.1% of the pixels or more; fine ones have 5 bits.
    """
    flat = pixels.reshape(-1, 3)
    red, green, blue = (flat[:, channel].astype(np.float32) / 255 for channel in range(3))
    most = np.maximum(np.maximum(red, green), blue)
    least = np.minimum(np.minimum(red, green), blue)
    saturation = (most - least) / np.maximum(most, 1 / 255)
    rg, yb = red - green, (red + green) / 2 - blue
    counts = _counts(flat, 4)
    ranked = np.sort(counts)[::-1] / len(flat)
    return {
        "saturation_mean": saturation.mean(),
        "saturation_spread": saturation.std(),
        "colourfulness": np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()),
        "log_fine_colours": np.log(np.count_nonzero(_counts(flat, 5))),
        "log_coarse_colours": np.log(max(1, int((ranked >= 0.001).sum()))),
        "colour_entropy": _entropy(counts),
        "top_colour_share": ranked[0],
        "top_four_colours_share": ranked[:4].sum(),
    }


def _counts(flat: np.ndarray, bits: int) -> np.ndarray:
    """How many pixels have each colour of so many bits a channel."""
    red, green, blue = (flat[:, channel].astype(np.int64) >> (8 - bits) for channel in range(3))
    return np.bincount((red << 2 * bits) | (green << bits) | blue, minlength=1 << 3 * bits)


def _main_colours(pixels: np.ndarray) -> dict[str, float]:
    """The image's palette: at most 16 colours by median cut, each counted once.

    Those of hardly any pixel are left out.

    Distances, gaps and the like are 0 for a single colour. `main_line_share` is the share of the
    colours' variance along their first principal axis: 1 for shades of one colour.
    """
    palette, counts = median_cut(pixels, _MAIN_COLOURS)
    main = palette[counts > _MAIN_SHARE * counts.sum()]
    light, red_green, yellow_blue = (axis.astype(np.float64) for axis in lab(main))
    order = np.argsort(light, kind="stable")
    points = np.stack([light, red_green, yellow_blue], axis=1)[order]
    light, chroma = points[:, 0], np.hypot(points[:, 1], points[:, 2])
    count = len(points)
    apart = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    pairs = apart[np.triu_indices(count, 1)] if count > 1 else np.zeros(1)
    nearest = (apart + np.diag(np.full(count, np.inf))).min(axis=1) if count > 1 else np.zeros(1)
    gaps = np.diff(light) if count > 1 else np.zeros(1)
    variances = np.linalg.eigvalsh(np.cov(points.T)) if count > 1 else np.zeros(3)
    hues = points[:, 1].sum(), points[:, 2].sum()
    return {
        "main_colours": count,
        "main_light_spread": light.std(),
        "main_light_least": light[0],
        "main_light_most": light[-1],
        "main_light_gap": gaps.max(),
        "main_light_unevenness": gaps.std() / max(gaps.mean(), 0.1),
        "main_chroma_mean": chroma.mean(),
        "main_chroma_spread": chroma.std(),
        "main_chroma_most": chroma.max(),
        "main_distance_mean": pairs.mean(),
        "main_nearest_mean": nearest.mean(),
        "main_hue_concentration": np.hypot(*hues) / max(chroma.sum(), count * _COLOURLESS),
        "main_line_share": variances[-1] / max(variances.sum(), 1e-3),
        "main_log_volume": np.log(np.maximum(variances, 1e-3)).sum(),
    }


def _form(light: np.ndarray) -> dict[str, float]:
    """Steps, sharpness (variance of the Laplacian: Pech-Pacheco et al. 2000), symmetry, balance.

    Args:
        light: 0 to 1.
    """
    across, down = _steps(light)
    bordered = np.pad(light, 1, mode="edge")
    around = bordered[:-2, 1:-1] + bordered[2:, 1:-1] + bordered[1:-1, :-2] + bordered[1:-1, 2:]
    height, width = light.shape
    third, top, left = max(1, height // 3), height // 4, width // 4
    centre = (slice(top, height - top), slice(left, width - left))
    return {
        "gradient_mean": across.mean() + down.mean(),
        "edge_share": ((across > _EDGE).mean() + (down > _EDGE).mean()) / 2,
        "flat_share": ((across < _FLAT).mean() + (down < _FLAT).mean()) / 2,
        "log_sharpness": np.log((around - 4 * light).var() + 1e-6),
        "symmetry_left_right": _correlation(light, light[:, ::-1], 1.0),
        "symmetry_top_bottom": _correlation(light, light[::-1], 1.0),
        "centre_light": light[centre].mean() - light.mean(),
        "top_light": light[:third].mean() - light[-third:].mean(),
    }


def _text_and_emptiness(light: np.ndarray) -> dict[str, float]:
    """What looks like writing, and how much of the image is plain ground.

    `stroke_share` is the share of pixels where a thin stroke begins: a strong step to darker or
    lighter that is undone within a few pixels along the row. `text_rows` is how uneven the rows
    are in strong steps, as lines of text and the space between them. `empty_share` is the share of
    cells of 8 x 8 pixels that are of one lightness.

    Args:
        light: 0 to 1.
    """
    steps = np.diff(light, axis=1)
    signs = (steps > _STROKE_EDGE).astype(np.int8) - (steps < -_STROKE_EDGE).astype(np.int8)
    begins = np.zeros(signs.shape, bool)
    for width in range(1, min(_STROKE_PIXELS, max(signs.shape[1], 1) - 1) + 1):
        begins[:, :-width] |= signs[:, :-width] * signs[:, width:] < 0
    strong = (signs != 0).mean(axis=1) if signs.size else np.zeros(1)
    height, width = (max(1, side // _CELL) * min(side, _CELL) for side in light.shape)
    tall, wide = (min(side, _CELL) for side in light.shape)
    cells = light[:height, :width].reshape(height // tall, tall, width // wide, wide)
    contrast = cells.max(axis=(1, 3)) - cells.min(axis=(1, 3))
    return {
        "stroke_share": begins.mean() if begins.size else 0.0,
        "text_rows": strong.std() / (strong.mean() + 0.02),
        "empty_share": (contrast < _EMPTY / 100).mean(),
    }


def _steps(light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sizes of steps from pixel to pixel along rows and down columns; one of 0 where none is."""
    across, down = np.abs(np.diff(light, axis=1)), np.abs(np.diff(light, axis=0))
    none = np.zeros(1, light.dtype)
    return across if across.size else none, down if down.size else none


def _entropy(counts: np.ndarray) -> float:
    """Shannon's entropy of counts or shares, in bits."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _correlation(left: np.ndarray, right: np.ndarray, of_plain: float) -> float:
    """Pearson's correlation; `of_plain` where either hardly varies."""
    if min(left.std(), right.std()) < 1e-3:
        return of_plain
    return float(((left - left.mean()) * (right - right.mean())).mean() / left.std() / right.std())
