"""Image encoders of the hub: networks that turn images into vectors."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.images import encode_images
from mmrl.encoders.device.threads import ModelLock
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.hub.encoder import FromHub

if TYPE_CHECKING:
    import torch

    from mmrl.encoders.networks.siglip2 import SiglipNetwork
    from mmrl.encoders.networks.timm_vit import TimmNetwork

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
        """Vectors of prepared images, stacked; float32, left on the device."""
        ...


class HubImages(FromHub["_Loaded"]):
    """An ImageEncoder with weights of the hub.

    Attributes:
        rules: how vectors are taken; how images are prepared comes with the revision.
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
            UnreadableImagesError: at least one image does not decode.
            WeightsError: the weights are missing or not the published ones.
        """
        if not len(images):
            return np.empty((0, self.dim), np.float32)
        net = self._network()

        def forward(chosen: Sequence[tuple[int, np.ndarray]]) -> "torch.Tensor":
            return net.vectors(np.stack([pixels for _, pixels in chosen]))

        return encode_images(images, range(len(images)), net.prepare, net.batches, forward)

    def _load(self) -> "_Loaded":
        on_gpu = self._model.place.on_gpu
        return _Loaded(self.name, self.load(self._model), on_gpu=on_gpu)


class TimmImages(HubImages):
    """timm's image encoders: pooled features before the classifier.

    As `forward_head(forward_features(x), pre_logits=True)` gives them, with the preparation that
    the checkpoint's own data configuration says; not normalised, as timm does not.
    """

    name = "vit-large-patch16-384"
    width = 1024
    rules = "upright,prelogits"
    width_at = ("num_features",)

    def load(self, model: Checkpoint) -> "TimmNetwork":
        """See `HubImages.load`."""
        from mmrl.encoders.networks.timm_vit import TimmNetwork

        return TimmNetwork(model.weights(), model.place)


class SiglipImages(HubImages):
    """SigLIP 2's image tower: vectors of length 1.

    As transformers' `get_image_features` gives them (Tschannen et al. 2025, arXiv:2502.14786):
    the whole image squeezed into a square, bilinear, then the tower's attention pooling. The
    text tower of the same file is not loaded.
    """

    name = "siglip2-so400m-patch14-384"
    width = 1152
    rules = "upright,pooled,l2"
    width_at = ("vision_config", "hidden_size")
    share = 0.4

    def load(self, model: Checkpoint) -> "SiglipNetwork":
        """See `HubImages.load`."""
        from mmrl.encoders.networks.siglip2 import SiglipNetwork

        return SiglipNetwork(model.folder(), model.place)


class _Loaded:
    """A network in memory, and how much it takes at once."""

    def __init__(self, name: str, network: ImageNetwork, *, on_gpu: bool) -> None:
        self._network = network
        self._lock = ModelLock()
        self.prepare = network.prepare
        self.batches = BatchSize(name, _ON_GPU if on_gpu else _ON_CPU, "images")

    def vectors(self, pixels: np.ndarray) -> "torch.Tensor":
        """See `ImageNetwork`."""
        import torch

        with self._lock, torch.inference_mode():
            return self._network.vectors(pixels)
