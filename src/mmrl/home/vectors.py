"""Vectors without a home: a profile's encoder, for contents as people hand them over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mmrl.catalog.columns import SPACES
from mmrl.errors import InputError
from mmrl.images.given import image_bytes
from mmrl.runtime.quiet import quiet_libraries

if TYPE_CHECKING:
    from mmrl.encoders.protocols import ImageEncoder, TextEncoder, VisualEncoder
    from mmrl.images.given import GivenImage


@dataclass(frozen=True)
class ContentEncoder:
    """An encoder of texts or images; `mmrl.encoder` gives one.

    Attributes:
        role: `title`, `caption`, `image` or `visual`.
        id: `name@revision+preprocessing`; the same id and content give the same vector.
        dim: how many numbers a vector has.
    """

    role: str
    id: str
    dim: int
    _encoder: "TextEncoder | ImageEncoder | VisualEncoder"

    @classmethod
    def of(cls, role: str, profile: str, settings: Mapping[str, Any]) -> "ContentEncoder":
        """The encoder of a role; see `mmrl.encoder`."""
        from mmrl.config import Settings
        from mmrl.encoders.device.threads import use_threads
        from mmrl.encoders.profiles import load_profile
        from mmrl.images.decode import use_limit

        if role not in SPACES:
            raise InputError(f"There is no encoder of {role!r}: give one of {', '.join(SPACES)}.")
        quiet_libraries()
        chosen = Settings(profile=profile, **settings)
        use_threads(chosen.threads)
        use_limit(chosen.images.max_pixels)
        loaded = load_profile(chosen)
        return cls(role, loaded.ids[role], loaded.dims[role], getattr(loaded, role)())

    def encode(
        self,
        contents: "Sequence[GivenImage]",
        texts: Sequence[str] | None = None,
    ) -> np.ndarray:
        """Vectors of shape (len(contents), dim), float32.

        Args:
            contents: texts for `title` and `caption`; else images: paths, bytes of files, or
                Pillow images.
            texts: for `visual`, one an image; an empty one leaves the image alone to speak.

        Raises:
            NotFoundError: there is no file at a path.
            InputError: an image does not decode, or `texts` are missing or not as many.
            WeightsError: the encoder's weights are missing.

        Example:
            >>> encoder = mmrl.encoder("visual")
            >>> vectors = encoder.encode(["images/lake.png"], texts=["Lake at dawn"])
            >>> vectors.shape == (1, encoder.dim)
            True
        """
        if self.role in ("title", "caption"):
            return cast("TextEncoder", self._encoder).encode([str(text) for text in contents])
        images = [image_bytes(content) for content in contents]
        if self.role == "image":
            return cast("ImageEncoder", self._encoder).encode(images)
        if texts is None or len(texts) != len(images):
            raise InputError(
                f"The visual encoder joins an image and a text: {len(images)} images came with "
                f"{'no' if texts is None else len(texts)} texts."
            )
        return cast("VisualEncoder", self._encoder).encode(images, list(texts))

    def __repr__(self) -> str:
        return f"<{self.role} encoder {self.id}, {self.dim} numbers a vector>"
