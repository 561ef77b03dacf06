"""Image encoders of timm: pooled features before the classifier.

As `forward_head(forward_features(x), pre_logits=True)` gives them, with the preparation that the
checkpoint's own data configuration says. The network is in `timm_network`.
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


NAME = "vit-large-patch16-384"
WIDTH = 1024


class TimmImages:
    """An ImageEncoder; its vectors are not normalised, as timm does not."""

    def __init__(self, model: Checkpoint) -> None:
        self._model = model

    @property
    def id(self) -> str:
        """`name@revision+preprocessing`; the rest of the preparation comes with the revision."""
        return f"{NAME}@{self._model.revision}+upright,prelogits"

    @property
    def dim(self) -> int:
        """1,024, but for a local folder that says otherwise."""
        if self._model.local is None:
            return WIDTH
        return self._model.said("num_features")

    def check(self) -> None:
        """Raises WeightsError where a file is missing."""
        self._model.check()

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Vectors of shape (len(images), dim), float32.

        Raises:
            UnreadableImagesError: at least one picture does not decode.
            WeightsError: the weights are missing or not the published ones.
        """
        if not len(images):
            return np.empty((0, self.dim), np.float32)
        net = self._network()

        def forward(chosen: Sequence[tuple[int, np.ndarray]]) -> "torch.Tensor":
            return net.features(np.stack([pixels for _, pixels in chosen]))

        return encode_pictures(images, range(len(images)), net.prepare, net.batches, forward)

    def _network(self) -> "_Loaded":
        place, weights = self._model.place, self._model.weights()
        return loaded(
            (NAME, self._model), place, weights.stat().st_size, lambda: _Loaded(self._model)
        )


class _Loaded:
    """The network in memory, and how much it takes at once."""

    def __init__(self, model: Checkpoint) -> None:
        from mmrl.encoders.timm_network import TimmNetwork

        self._network: TimmNetwork = TimmNetwork(model.weights(), model.place)
        self._lock = ModelLock()
        self.prepare = self._network.prepare
        # 64 pictures are 36,928 tokens, which fill any GPU; more would only be decoded for longer
        # before the first batch is whole.
        self.batches = BatchSize(NAME, 64 if model.place.on_gpu else 4, "pictures")

    def features(self, pixels: np.ndarray) -> "torch.Tensor":
        """Features of pixels of shape (n, 3, side, side), uint8, on the device."""
        import torch

        with self._lock, torch.inference_mode():
            return self._network.features(pixels)
