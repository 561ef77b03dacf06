"""Pictures through a network of the hub: what its image encoders have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mmrl.encoders.batches import BatchSize
from mmrl.encoders.checkpoint import Checkpoint
from mmrl.encoders.loaded import loaded
from mmrl.encoders.pairs import encode_pictures
from mmrl.encoders.threads import ModelLock

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


class HubImages(ABC):
    """An ImageEncoder.

    Attributes:
        name, width: of the model, as its id says it; the number of dimensions it is published with.
        rules: the rest of the id; how pictures are prepared comes with the revision.
        width_at: where a local folder's `config.json` says the width.
        share: how much of the weights' file is loaded.
    """

    name: str
    width: int
    rules: str
    width_at: tuple[str, ...]
    share = 1.0

    def __init__(self, model: Checkpoint) -> None:
        self._model = model

    @property
    def id(self) -> str:
        """`name@revision+preprocessing`."""
        return f"{self.name}@{self._model.revision}+{self.rules}"

    @property
    def dim(self) -> int:
        """The model's width, but for a local folder that says otherwise."""
        if self._model.local is None:
            return self.width
        return self._model.said(*self.width_at)

    def check(self) -> None:
        """Raises WeightsError where a file is missing."""
        self._model.check()

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

    def _network(self) -> "_Loaded":
        place, weights = self._model.place, self._model.weights()
        return loaded(
            (self.name, self._model),
            place,
            int(weights.stat().st_size * self.share),
            lambda: _Loaded(self.name, self.load(self._model), on_gpu=place.on_gpu),
        )


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
