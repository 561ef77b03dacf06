"""Protocols of encoders and captioners.

An encoder is cheap to make: it knows its `id` and `dim` at once and loads its weights at the
first call. So a stage can find out that nothing is to be done without importing a model.

An id is `name@revision+preprocessing`, such as `all-MiniLM-L6-v2@53aa51172d14+256tok,mean,l2`: two
vectors with the same id and the same content are equal within 1e-5, whatever they were batched
with; between number formats (float32 on a CPU, bfloat16 on a GPU) their cosine is 0.999 or more.
Change what comes out, and the id must change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mmrl.catalog.reasons import Reason
from mmrl.errors import InputError
from mmrl.images.image import UnreadableError


class UnreadableImagesError(InputError):
    """Some images of a call do not decode.

    Raised once every readable image of the call has been through the model.

    Attributes:
        errors: for each unreadable image its position in the call and what is wrong with it.
        reasons: for each of these positions the code from the closed list.
        done: what the call would have returned for the readable ones alone; None where the encoder
            remembers them, so that asking again costs little.
    """

    def __init__(self, errors: Mapping[int, UnreadableError | str], done: Any = None) -> None:
        """Takes each error as the decoder raised it; a text alone means a broken image."""
        unreadable = {
            place: UnreadableError(error) if isinstance(error, str) else error
            for place, error in sorted(errors.items())
        }
        self.errors = {place: error.detail for place, error in unreadable.items()}
        self.reasons = {place: error.reason for place, error in unreadable.items()}
        self.done = done
        first = next(iter(self.errors.items()), (0, ""))
        super().__init__(
            f"{len(self.errors)} of the given images can't be decoded (number {first[0] + 1}: "
            f"{first[1]}): give JPEG, PNG, WebP or another still image that Pillow reads."
        )


class Encoder(Protocol):
    """What every encoder and captioner has.

    Attributes:
        id: `name@revision+preprocessing`, known before any weights are loaded.
    """

    id: str

    def check(self) -> None:
        """Looks at the weights without loading them.

        Raises:
            WeightsError: they are missing, or not the recorded ones.
        """
        ...


class TextEncoder(Encoder, Protocol):
    """Texts to vectors; `dim` is how many numbers a vector has, here and below.

    Attributes:
        truncated: how many texts were longer than the model takes so far, and were cut.
    """

    dim: int
    truncated: int

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of shape (len(texts), dim), float32, each of length 1."""
        ...


class ImageEncoder(Encoder, Protocol):
    """Images to vectors."""

    dim: int

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Vectors of shape (len(images), dim), float32, scaled as the model's authors do.

        Args:
            images: encoded files (JPEG, PNG, WebP...), not pixels.

        Raises:
            UnreadableImagesError: at least one does not decode.
        """
        ...


class VisualEncoder(Encoder, Protocol):
    """An image and a text together to one vector; `truncated` as with a TextEncoder."""

    dim: int
    truncated: int

    def encode(self, images: Sequence[bytes], texts: Sequence[str]) -> np.ndarray:
        """Vectors of shape (len(images), dim), float32, each of length 1.

        Args:
            images: encoded files.
            texts: as many; an empty text leaves the image alone to speak.

        Raises:
            UnreadableImagesError: at least one image does not decode.
        """
        ...


@runtime_checkable
class Follower(Protocol):
    """What a captioner or a visual encoder has that follows from an image encoder's vectors.

    An image whose vector is stored then needs no further pass of the network.

    Attributes:
        follows: that encoder's id.
    """

    follows: str

    def remember(self, images: Sequence[str], vectors: np.ndarray) -> None:
        """Takes stored vectors, (n, dim), of images by their SHA-256."""
        ...


@dataclass(frozen=True)
class Phrase:
    """A part of a caption that names something in the image, and where that is.

    Attributes:
        start, end: the part's place in the caption's text, in characters.
        boxes: left, top, right, bottom of each place it was seen at, as shares of the image's
            width and height, from 0 to 1.
    """

    start: int
    end: int
    boxes: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Caption:
    """An image in words.

    Attributes:
        text: "" where the captioner abstains, which only some may do.
        phrases: what of the text was found where in the image; none from most captioners.
    """

    text: str
    phrases: tuple[Phrase, ...] = ()


@dataclass(frozen=True)
class Uncaptioned:
    """An image that got no caption, and why.

    Attributes:
        reason: one of the closed list, such as `empty_caption`.
        detail: a few words for whoever looks into it.
        transient: worth another try later.
    """

    reason: Reason
    detail: str
    transient: bool = False


class Captioner(Encoder, Protocol):
    """Images to words."""

    def caption(self, images: Sequence[bytes]) -> list[Caption | Uncaptioned]:
        """One result an image, in the order given.

        Raises:
            UnreadableImagesError: at least one image does not decode.
        """
        ...
