"""Image files that an imported table named, or that lie inside it."""

from pathlib import Path
from urllib.parse import urlsplit

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.image import FetchedImage, Refused
from mmrl.images.parquet import image_bytes
from mmrl.images.probe import probe
from mmrl.images.safety import check_file


def read_image(url: str, images: ImageSettings) -> FetchedImage | Refused:
    """The image at a file:// address, or the refusal of it; safe to call from several threads."""
    path = check_file(url)
    if isinstance(path, Refused):
        return path
    place = urlsplit(url).query
    data = image_bytes(path, place) if place else _content(path, images.max_bytes + 1)
    if isinstance(data, Refused):
        return data
    if len(data) > images.max_bytes:
        return Refused(Reason.TOO_MANY_BYTES, f"over {images.max_bytes} bytes")
    facts = probe(data, images)
    return facts if isinstance(facts, Refused) else FetchedImage(data, facts, url)


def _content(path: Path, most: int) -> bytes | Refused:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        return Refused(Reason.FILE_MISSING, str(error))
