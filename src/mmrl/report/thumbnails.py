"""Images small enough to lie inside a page, and safe to show."""

import base64
import io

from PIL import Image, ImageFilter

from mmrl.catalog.reasons import Reason
from mmrl.images.decode import open_rgb
from mmrl.images.image import UnreadableError

_SIDE = 300  # longest side in pixels
_BLURRED_SIDE = 9  # what is left of a blurred image before it is stretched again
_QUALITY = 72


class UnshowableError(Exception):
    """A image can't be shown; the message says why in a few words."""


def thumbnail(data: bytes, *, blurred: bool = False) -> str:
    """The `small_jpeg` of an image as a data URI; raises UnshowableError as that does."""
    small = small_jpeg(data, blurred=blurred)
    return "data:image/jpeg;base64," + base64.b64encode(small).decode()


def small_jpeg(data: bytes, *, blurred: bool = False) -> bytes:
    """An encoded image as a small re-encoded JPEG.

    Decoding and encoding it again leaves behind whatever else the file carried: EXIF, a place, a
    second payload.

    Args:
        data: the file's bytes.
        blurred: keep only a few colour patches, from which the image can't be brought back.

    Raises:
        UnshowableError: it is no image, is broken, or has more pixels than `images.max_pixels`.
    """
    try:
        small = open_rgb(data, 2 * _SIDE)
    except UnreadableError as error:
        if error.reason == Reason.TOO_MANY_PIXELS:
            raise UnshowableError(f"it has too many pixels ({error})") from None
        raise UnshowableError("it can't be decoded") from error
    small.thumbnail((_SIDE, _SIDE))
    if blurred:
        size = small.size
        small.thumbnail((_BLURRED_SIDE, _BLURRED_SIDE))
        small = small.resize(size, Image.Resampling.BICUBIC)
        small = small.filter(ImageFilter.GaussianBlur(_SIDE / 20))
    small.info.clear()  # Pillow would write a comment in it into the new file
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return out.getvalue()
