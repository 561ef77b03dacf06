"""Image files that an imported table named."""

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.image import FetchedImage, Refused
from mmrl.images.probe import probe
from mmrl.images.safety import check_file


def read_image(url: str, images: ImageSettings) -> FetchedImage | Refused:
    """The image at a file:// address, or the refusal of it; safe to call from several threads."""
    path = check_file(url)
    if isinstance(path, Refused):
        return path
    try:
        with path.open("rb") as file:
            data = file.read(images.max_bytes + 1)
    except OSError as error:
        return Refused(Reason.FILE_MISSING, str(error))
    if len(data) > images.max_bytes:
        return Refused(Reason.TOO_MANY_BYTES, f"over {images.max_bytes} bytes")
    facts = probe(data, images)
    return facts if isinstance(facts, Refused) else FetchedImage(data, facts, url)
