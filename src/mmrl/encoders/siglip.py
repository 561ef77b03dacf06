"""SigLIP 2's image tower: pictures to vectors of length 1.

As transformers' `get_image_features` gives them (Tschannen et al. 2025, arXiv:2502.14786): the
whole picture squeezed into a square, bilinear, then the tower's attention pooling. The text tower
of the same file is not loaded.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmrl.encoders.batches import BatchSize
from mmrl.encoders.checkpoint import Checkpoint
from mmrl.encoders.loaded import loaded
from mmrl.encoders.pairs import encode_pictures
from mmrl.encoders.threads import ModelLock

if TYPE_CHECKING:
    import torch


NAME = "siglip2-so400m-patch14-384"
WIDTH = 1152
_TOWER = 0.4  # of the file's weights


class SiglipImages:
    """An ImageEncoder."""

    def __init__(self, model: Checkpoint) -> None:
        self._model = model

    @property
    def id(self) -> str:
        """`name@revision+preprocessing`; the rest of the preparation comes with the revision."""
        return f"{NAME}@{self._model.revision}+upright,pooled,l2"

    @property
    def dim(self) -> int:
        """1,152, but for a local folder that says otherwise."""
        if self._model.local is None:
            return WIDTH
        return self._model.said("vision_config", "hidden_size")

    def check(self) -> None:
        """Raises WeightsError where a file is missing."""
        self._model.check()

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Vectors of shape (len(images), dim), float32, each of length 1.

        Raises:
            UnreadableImagesError: at least one picture does not decode.
            WeightsError: the weights are missing or not the published ones.
        """
        if not len(images):
            return np.empty((0, self.dim), np.float32)
        net = self._network()

        def forward(chosen: Sequence[tuple[int, np.ndarray]]) -> "torch.Tensor":
            return net.vectors(np.stack([pixels for _, pixels in chosen]))

        return encode_pictures(images, range(len(images)), net.prepare, net.batches, forward)

    def _network(self) -> "_Loaded":
        place, weights = self._model.place, self._model.weights()
        return loaded(
            (NAME, self._model),
            place,
            int(weights.stat().st_size * _TOWER),
            lambda: _Loaded(self._model),
        )


class _Loaded:
    """The network in memory, and how much it takes at once."""

    def __init__(self, model: Checkpoint) -> None:
        from mmrl.encoders.siglip_network import SiglipNetwork

        self._network: SiglipNetwork = SiglipNetwork(model.folder(), model.place)
        self._lock = ModelLock()
        self.prepare = self._network.prepare
        self.batches = BatchSize(NAME, 64 if model.place.on_gpu else 4, "pictures")

    def vectors(self, pixels: np.ndarray) -> "torch.Tensor":
        """Vectors of pixels of shape (n, side, side, 3), uint8, on the device."""
        import torch

        with self._lock, torch.inference_mode():
            return self._network.vectors(pixels)
