"""Images as people hand them over: a path, the bytes of a file, or a Pillow image."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mmrl.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from PIL.Image import Image

    GivenImage: TypeAlias = str | Path | bytes | Image

_PNG_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")


def image_bytes(image: "GivenImage", most: int | None = None) -> bytes:
    """The bytes of an image's file; a Pillow image becomes a PNG, with its EXIF data.

    Args:
        most: the largest file to read, in bytes.

    Raises:
        NotFoundError: there is no file at that path.
        InputError: it is too large, can't be read, or is no image at all.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        data = bytes(image)
        what = "The image"
    elif isinstance(image, str | Path):
        what = str(image)
        data = _file(Path(image), most)
    else:
        return _png(image)
    if most is not None and len(data) > most:
        raise _too_large(what, most)
    return data


def require_file(image: "GivenImage") -> None:
    """Refuses a path at which there is no file; reads nothing.

    Raises:
        NotFoundError: there is none.
    """
    if isinstance(image, str | Path) and not Path(image).is_file():
        raise NotFoundError(f"There is no image file at {image}: give the path of an image.")


def _file(path: Path, most: int | None) -> bytes:
    require_file(path)
    if most is not None and path.stat().st_size > most:
        raise _too_large(str(path), most)
    return path.read_bytes()


def _too_large(what: str, most: int) -> InputError:
    return InputError(
        f"{what} is larger than {most:,} bytes (images.max_bytes): give a smaller file, or raise "
        "that setting."
    )


def _png(image: "Image") -> bytes:
    from PIL import Image

    if not isinstance(image, Image.Image):
        raise InputError(
            f"An image is {type(image).__name__}: give a path, the bytes of a file, or a Pillow "
            "image."
        )
    written = io.BytesIO()
    exif = image.getexif()
    kept = image if image.mode in _PNG_MODES else image.convert("RGB")
    kept.save(written, "PNG", exif=exif, compress_level=1)
    return written.getvalue()
