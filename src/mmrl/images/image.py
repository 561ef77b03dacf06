"""Images as they are fetched and read, and the refusals in place of those that are not kept."""

from dataclasses import dataclass

from mmrl.catalog.reasons import Reason


@dataclass(frozen=True)
class ImageFacts:
    """Facts that are kept of an image beside its bytes.

    Attributes:
        width, height: in pixels, as people see it (turned as EXIF says).
        format: JPEG, PNG, WEBP, GIF, AVIF or BMP: what it is, whatever its name or server says.
        phash: 64-bit perceptual hash (DCT) of the image, 16 hex digits.
    """

    sha256: str
    width: int
    height: int
    format: str
    byte_size: int
    phash: str


@dataclass(frozen=True)
class FetchedImage:
    """An image that was fetched, or read from a file, and is good to keep.

    Attributes:
        data: the file's bytes.
        final_url: its address after redirects.
    """

    data: bytes
    facts: ImageFacts
    final_url: str


@dataclass(frozen=True)
class Refused:
    """Refusal of an address or a file that gives no image.

    Attributes:
        reason: from the closed list.
        detail: a few words for whoever looks into it.
        transient: another try later may go better.
    """

    reason: Reason
    detail: str
    transient: bool = False


class UnreadableError(Exception):
    """A file does not decode.

    Attributes:
        detail: a few words for whoever looks into it; the message.
        reason: from the closed list.
    """

    def __init__(self, detail: str, reason: Reason = Reason.BROKEN_IMAGE) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason
