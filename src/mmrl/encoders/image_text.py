"""Text in images, read by PP-OCR's networks in the packages of the extra `mmrl[ocr]`."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from mmrl.encoders.contents import Encoded, Unencoded
from mmrl.encoders.device.threads import ModelLock, threads
from mmrl.errors import ConfigError
from mmrl.images.decode import decode_ahead, open_rgb
from mmrl.images.image import UnreadableError
from mmrl.sources.extras import extra_value

READER = "pp-ocrv6-small@1"  # the networks, and by a number of its own how they are used
_SIDE = 960  # pixels; a longer side is made shorter before text is looked for
_LEAST_LETTERS = 2  # in a text; a single one is mostly a false sight
_BATCH = 4  # images decoded at a time
_lock = ModelLock()


def read_texts(images: Sequence[bytes | None]) -> Encoded[list[str]]:
    """The text that each image shows, its lines joined by blanks; "" where it shows none.

    It is a value of an extra feature, see `mmrl.sources.extras`.

    Args:
        images: encoded files; None fails as an image that is not there.

    Raises:
        ConfigError: the extra `mmrl[ocr]` is not installed.
    """
    engine = _engine()
    there = [place for place, data in enumerate(images) if data is not None]
    files = [data for data in images if data is not None]
    errors: dict[int, UnreadableError] = {}
    places, texts = [], []
    for decoded in decode_ahead(files, _pixels, _BATCH, errors):
        for number, pixels in decoded:
            with _lock:
                lines = engine(pixels).txts or ()
            places.append(there[number])
            texts.append(_joined(lines))
    failures: dict[int, Unencoded] = {there[number]: error for number, error in errors.items()}
    failures |= {
        place: UnreadableError("its bytes are not in the catalog")
        for place, data in enumerate(images)
        if data is None
    }
    return Encoded(places, texts, failures)


def _joined(lines: Sequence[str]) -> str:
    text = extra_value(" ".join(" ".join(lines).split())) or ""
    return text if sum(map(str.isalnum, text)) >= _LEAST_LETTERS else ""


def _pixels(data: bytes) -> np.ndarray:
    """(height, width, 3) uint8, blue first, as the networks were trained on."""
    rgb = open_rgb(data, _SIDE)
    rgb.thumbnail((_SIDE, _SIDE))
    return np.ascontiguousarray(np.asarray(rgb)[:, :, ::-1])


@cache
def _engine() -> Callable[[np.ndarray], Any]:
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise ConfigError(
            f"Text in images can't be read ({error}): install the extra with `pip install "
            "'mmrl[ocr]'`, or set read_text = false."
        ) from None
    runtime = "EngineConfig.onnxruntime"
    parameters: dict[str, Any] = {
        "Global.log_level": "error",
        "Det.limit_type": "max",
        "Det.limit_side_len": _SIDE,
    }
    if (count := threads()) is not None:
        parameters |= {f"{runtime}.intra_op_num_threads": count}
    return RapidOCR(params=parameters)
