"""Pictures through a network of the hub: what its image encoders have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.pictures import encode_pictures
from mmrl.encoders.device.threads import ModelLock
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.hub.encoder import FromHub

if TYPE_CHECKING:
    import torch

# On a GPU these are some 40,000 tokens, which fill any; more would only be decoded for longer
# before the first batch is whole.
_ON_GPU, _ON_CPU = 64, 4


class ImageNetwork(Protocol):
    """A network on its device, in evaluation mode."""

    def prepare(self, data: bytes) -> np.ndarray:
        """A file as the network's pixels, uint8.

        Raises:
            UnreadableError: see `open_rgb`.
        """
        ...

    def vectors(self, pixels: np.ndarray) -> "torch.Tensor":
        """Vectors of prepared pictures, stacked; float32, left on the device."""
        ...


class HubImages(FromHub["_Loaded"]):
    """An ImageEncoder.

    Attributes:
        rules: how vectors are taken; how pictures are prepared comes with the revision.
        width: the number of dimensions it is published with.
        width_at: where a local folder's `config.json` says the width.
    """

    width: int
    width_at: tuple[str, ...]

    @property
    def dim(self) -> int:
        """The model's width, but for a local folder that says otherwise."""
        return self._model.width(self.width, *self.width_at)

    @abstractmethod
    def load(self, model: Checkpoint) -> ImageNetwork:
        """The network, with the weights of a checkpoint.

        Raises:
            WeightsError: they are not the model's.
        """

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
            return net.vectors(np.stack([pixels for _, pixels in chosen]))

        return encode_pictures(images, range(len(images)), net.prepare, net.batches, forward)

    def _load(self) -> "_Loaded":
        on_gpu = self._model.place.on_gpu
        return _Loaded(self.name, self.load(self._model), on_gpu=on_gpu)


class _Loaded:
    """A network in memory, and how much it takes at once."""

    def __init__(self, name: str, network: ImageNetwork, *, on_gpu: bool) -> None:
        self._network = network
        self._lock = ModelLock()
        self.prepare = network.prepare
        self.batches = BatchSize(name, _ON_GPU if on_gpu else _ON_CPU, "pictures")

    def vectors(self, pixels: np.ndarray) -> "torch.Tensor":
        """See `ImageNetwork`."""
        import torch

        with self._lock, torch.inference_mode():
            return self._network.vectors(pixels)
