"""What is taken in, every stage decodes: files of all formats, and changes to their bytes."""

import io
import random
import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmrl.config import ImageSettings
from mmrl.images.decode import Crop, open_rgb
from mmrl.images.formats import other_format, sniff
from mmrl.images.image import ImageFacts, Refused
from mmrl.images.measures.quality import measure_file
from mmrl.images.probe import probe
from mmrl.report.thumbnails import thumbnail

IMAGES = ImageSettings()
SCENE = Image.effect_noise((96, 64), 60).convert("RGB")
MARK = Image.new("RGBA", (48, 32), (200, 30, 30, 120))
EXIF = Image.Exif()
EXIF[0x0112] = 6
EXIF[0x011A] = 72.0


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    crc = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def with_chunk(png: bytes, added: bytes, *, before: bytes = b"IDAT") -> bytes:
    place = png.index(before) - 4
    return png[:place] + added + png[place:]


PNG = saved(SCENE, "PNG")
FILES = {
    "jpeg": saved(SCENE, "JPEG", exif=EXIF),
    "progressive": saved(SCENE, "JPEG", progressive=True, quality=60),
    "cmyk": saved(SCENE.convert("CMYK"), "JPEG"),
    "png": saved(SCENE, "PNG", exif=EXIF),
    "palette": saved(SCENE.quantize(16), "PNG", transparency=3),
    "rgba": saved(MARK, "PNG"),
    "grey16": saved(
        Image.fromarray((np.arange(96 * 64).reshape(64, 96) * 10).astype(np.uint16)), "PNG"
    ),
    "la": saved(MARK.convert("LA"), "PNG"),
    "gif": saved(SCENE.quantize(32), "GIF"),
    "webp": saved(SCENE, "WEBP", exif=EXIF),
    "webp-lossless": saved(MARK, "WEBP", lossless=True),
    "avif": saved(SCENE, "AVIF"),
    "bmp": saved(SCENE, "BMP"),
    "bmp8": saved(SCENE.quantize(200), "BMP"),
    "bmp32": saved(MARK, "BMP"),
}


def stages_decode(data: bytes) -> None:
    """Everything that stages do with an image's bytes."""
    open_rgb(data)
    open_rgb(data, 32)
    Crop(32, 0.9, 32).apply(data)
    measure_file(data)
    assert thumbnail(data)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(FILES[draw(st.sampled_from(sorted(FILES)))])
    chance = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(0, 6))):
        place = chance.randrange(len(data))
        match draw(st.sampled_from(("flip", "set", "cut", "drop", "double", "header"))):
            case "flip":
                data[place] ^= 1 << chance.randrange(8)
            case "set":
                data[place : place + 4] = chance.randbytes(4)
            case "cut":
                del data[len(data) - chance.choice((1, 2, 10, len(data) // 2)) :]
            case "drop":
                del data[place : place + chance.randrange(1, 30)]
            case "double":
                data[place:place] = data[place : place + 20]
            case _:
                data[chance.randrange(min(64, len(data)))] = chance.randrange(256)
        if not data:
            return b""
    return bytes(data)


@settings(max_examples=400)
@given(mutated())
def test_every_stage_decodes_what_is_taken_in_and_no_warning_gets_out(data: bytes) -> None:
    before = list(warnings.filters)
    facts = probe(data, IMAGES)
    assert isinstance(facts, ImageFacts | Refused)
    if isinstance(facts, ImageFacts):
        stages_decode(data)
        assert open_rgb(data).size == (facts.width, facts.height)
    assert [entry for entry in before if entry not in warnings.filters] == []


@pytest.mark.parametrize("name", FILES)
def test_sound_files_of_every_format_are_taken_in(name: str) -> None:
    assert isinstance(probe(FILES[name], IMAGES), ImageFacts)
    stages_decode(FILES[name])


def zipped(size: int) -> bytes:
    return b"note\0\0" + zlib.compress(b"x" * size)


@pytest.mark.parametrize(
    "png",
    [
        with_chunk(PNG, chunk(b"zTXt", zipped(3 << 20))),
        with_chunk(
            PNG, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * (40 << 20)))
        ),
        with_chunk(PNG, chunk(b"iCCP", zipped(2 << 20))),
        with_chunk(PNG, chunk(b"zTXt", zipped(3 << 20)), before=b"IEND"),
        with_chunk(PNG, chunk(b"pHYs", b"\0\0")),
        with_chunk(PNG, chunk(b"cHRM", b"\0" * 5)),
        with_chunk(PNG, chunk(b"gAMA", b"")),
        with_chunk(PNG, chunk(b"tEXt", b"no end of the key")),
        with_chunk(PNG, chunk(b"tIME", b"\0" * 7, crc=1)),
        with_chunk(PNG, chunk(b"eXIf", b"garbage")),
        with_chunk(PNG, chunk(b"sRGB", b"")),
    ],
)
def test_a_png_is_not_refused_for_its_notes(png: bytes) -> None:
    assert isinstance(probe(png, IMAGES), ImageFacts)
    assert open_rgb(png).tobytes() == SCENE.tobytes()


@pytest.mark.parametrize("name", ["jpeg", "progressive", "cmyk"])
def test_a_jpeg_without_its_end_mark_holds_every_pixel_and_half_a_jpeg_does_not(name: str) -> None:
    whole = FILES[name]
    for short in (whole[:-2], whole[:-1]):
        assert isinstance(probe(short, IMAGES), ImageFacts)
        assert open_rgb(short).tobytes() == open_rgb(whole).tobytes()
    for share in (0.95, 0.7):
        refused = probe(whole[: int(len(whole) * share)], IMAGES)
        assert isinstance(refused, Refused)


def rational(tag: int, kind: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        entry = struct.pack(">HH", tag, 5)
        little = struct.pack("<HH", tag, 5)
        assert entry in data or little in data
        return data.replace(entry, struct.pack(">HH", tag, kind)).replace(
            little, struct.pack("<HH", tag, kind)
        )

    return change


@pytest.mark.parametrize("kind", [0, 1, 2, 4, 7, 12, 99])
def test_an_image_that_lies_on_its_side_is_turned_whatever_else_its_exif_says(kind: int) -> None:
    data = rational(0x011A, kind)(FILES["jpeg"])
    facts = probe(data, IMAGES)
    assert isinstance(facts, ImageFacts)
    assert (facts.width, facts.height) == (64, 96)
    assert open_rgb(data).tobytes() == open_rgb(FILES["jpeg"]).tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_is_turned_as_pillow_turns_it(orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(SCENE, "PNG", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert open_rgb(data).tobytes() == expected.convert("RGB").tobytes()


def test_greys_of_16_bits_are_scaled_also_for_the_perceptual_hash() -> None:
    grey = np.asarray(SCENE.convert("L"))
    deep = saved(Image.fromarray(grey.astype(np.uint16) * 257), "PNG")
    flat = saved(Image.fromarray(grey), "PNG")
    one, other = probe(deep, IMAGES), probe(flat, IMAGES)
    assert isinstance(one, ImageFacts)
    assert isinstance(other, ImageFacts)
    assert one.phash == other.phash
    assert open_rgb(deep).tobytes() == open_rgb(flat).tobytes()


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = major + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands


def test_avif_is_known_by_its_compatible_brands_and_heic_is_named() -> None:
    assert sniff(ftyp(b"mif1", b"miaf", b"avif")) == "AVIF"
    assert sniff(ftyp(b"msf1", b"avis", b"miaf")) == "AVIF"
    for head in (ftyp(b"heic", b"mif1", b"heic"), ftyp(b"mif1", b"heic"), ftyp(b"heix")):
        refused = probe(head + bytes(99), IMAGES)
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.detail[:5]) == ("format_not_read", "HEIC;")
    body = FILES["avif"]
    size = int.from_bytes(body[:4])
    assert isinstance(
        probe(ftyp(b"mif1", b"avif", b"miaf", b"MA1B") + body[size:], IMAGES), ImageFacts | Refused
    )


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"<?xml version='1.0'?>\n<svg xmlns='x'/>", "SVG"),
        (b"II*\0" + bytes(60), "TIFF"),
        (b"\xff\x0a" + bytes(60), "JPEG XL"),
        (b"8BPS" + bytes(60), "PSD"),
        (b"<!doctype html><title>gone</title>", None),
    ],
)
def test_a_format_that_is_not_read_is_named_as_what_it_is(data: bytes, name: str | None) -> None:
    assert other_format(data) == name
