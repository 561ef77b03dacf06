"""Images of made-up posts, drawn from a few attributes when they are asked for.

An image is a subject (one of fourteen, in two families: open views and things seen close) with a
palette from cold to warm and with little or much scattered over it. Nothing is kept: the same
attributes give the same JPEG bytes each time, within one version of Pillow.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from mmrl.sandbox.scenes import HEIGHT, THINGS, VIEWS, WIDTH, blank

SUBJECTS: tuple[str, ...] = (*VIEWS, *THINGS)
FAMILY: tuple[int, ...] = (1,) * len(VIEWS) + (-1,) * len(THINGS)
"""+1 for an open view, -1 for a thing seen close; in the order of SUBJECTS."""

_PAINTERS = {**VIEWS, **THINGS}
_GRAINS = 16
_PLACEHOLDER_BYTES = 503
_HEADS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """Attributes of an image: `warmth` and `busyness` in -1..1; `key` seeds the small things."""

    subject: int
    warmth: float
    busyness: float
    key: int


@cache
def _grain() -> list[np.ndarray]:
    rng = np.random.default_rng(20260601)
    return [rng.normal(0, 5, (HEIGHT, WIDTH, 1)).round().astype(np.int16) for _ in range(_GRAINS)]


def _palette(warmth: float, exposure: float) -> list[int]:
    """A lookup table for the three channels: warm lifts red and lowers blue, cold the reverse."""
    gains = (1 + 0.30 * warmth, 1 + 0.04 * warmth, 1 - 0.34 * warmth)
    lifts = (16 * warmth, 0.0, -16 * warmth)
    return [
        max(0, min(255, int(level * exposure * gain + lift)))
        for gain, lift in zip(gains, lifts, strict=True)
        for level in range(256)
    ]


def _scatter(draw: ImageDraw.ImageDraw, rng: Random, busyness: float) -> None:
    """Small bright flecks over the whole drawing: none at -1, about 110 at +1."""
    for _ in range(int(55 * (busyness + 1))):
        x, y, r = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(2.5, 5.5)
        fill = rng.choice(((236, 64, 122), (64, 200, 236), (250, 240, 90), (120, 220, 110)))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def render(drawing: Drawing) -> bytes:
    """The drawing as a JPEG of 320 by 256 pixels, 10 to 25 kB, in about 5 ms."""
    rng = Random(drawing.key)
    image, draw = blank()
    _PAINTERS[SUBJECTS[drawing.subject]](draw, rng)
    _scatter(draw, rng, drawing.busyness)
    image = image.point(_palette(drawing.warmth, rng.uniform(0.88, 1.08)))
    grain = _grain()[rng.randrange(_GRAINS)]
    pixels = np.asarray(image).astype(np.int16)
    pixels += grain
    np.clip(pixels, 0, 255, out=pixels)
    return encode(Image.fromarray(pixels.astype(np.uint8)), "JPEG")


def encode(image: Image.Image, form: str) -> bytes:
    """A Pillow image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, quality=80)
    return buffer.getvalue()


def content_type(data: bytes) -> str:
    """The media type of an image file, by its first bytes; of a replayed one it is not known."""
    for head, kind in _HEADS.items():
        if data.startswith(head):
            return kind
    return "application/octet-stream"


@cache
def placeholder() -> bytes:
    """The small image shown where one was removed; drawn here, no copy of anybody's.

    Programs tell Imgur's own removed.png by its facts: a PNG of 161 by 81 pixels in 503 bytes.
    This one has the same facts, the bytes that lack being a comment, so that it is told the same.
    """
    image = Image.new("1", (161, 81), 0)
    draw = ImageDraw.Draw(image)
    draw.rectangle((50, 16, 110, 64), outline=1, width=2)
    draw.line((50, 64, 110, 16), fill=1, width=2)
    plain = encode(image, "PNG")
    says = b"Comment\0A simulated removed image. "
    says = says.ljust(_PLACEHOLDER_BYTES - len(plain) - 12, b".")  # 12: a chunk's own frame
    chunk = b"tEXt" + says
    whole = struct.pack(">I", len(says)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return plain[:-12] + whole + plain[-12:]  # before IEND, which is 12 bytes
