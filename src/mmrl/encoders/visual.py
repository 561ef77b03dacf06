"""Pictures with texts through a network of the hub: what its visual encoders have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.pictures import encode_pictures, same_number
from mmrl.encoders.device.tokens import by_length
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.hub.encoder import FromHub

if TYPE_CHECKING:
    import torch


class VisualNetwork(Protocol):
    """Network and tokenizer in memory.

    Attributes:
        pictures: how many the network takes at once.
    """

    pictures: BatchSize

    def prepare(self, data: bytes) -> Any:
        """A file as the network takes it.

        Raises:
            UnreadableError: see `open_rgb`; or the network can't take such a picture.
        """
        ...

    def tokenize(self, texts: Sequence[str]) -> tuple[list[list[int]], int]:
        """Each text's token ids, and how many texts were cut."""
        ...

    def together(self, pictures: Sequence[Any], tokens: Sequence[list[int]]) -> "torch.Tensor":
        """Vectors of pictures and texts, float32, each of length 1, left on the device."""
        ...


Loaded = TypeVar("Loaded", bound=VisualNetwork)


class HubVisual(FromHub[Loaded]):
    """A VisualEncoder.

    Attributes:
        truncated: how many texts were cut so far.
    """

    def __init__(self, model: Checkpoint, *beside: Checkpoint) -> None:
        super().__init__(model, *beside)
        self.truncated = 0

    @property
    @abstractmethod
    def dim(self) -> int:
        """How many dimensions its vectors have."""

    def encode(self, images: Sequence[bytes], texts: Sequence[str]) -> np.ndarray:
        """Vectors of shape (len(images), dim), float32, each of length 1.

        Args:
            images: encoded files.
            texts: as many; an empty text leaves the picture alone to speak.

        Raises:
            InputError: there are not as many texts as images.
            UnreadableImagesError: at least one picture does not decode.
            WeightsError: the weights are missing or not the published ones.
        """
        same_number(images, texts)
        if not len(images):
            return np.empty((0, self.dim), np.float32)
        net = self._network()
        tokens = self._tokens(net, texts)

        def forward(chosen: Sequence[tuple[int, Any]]) -> "torch.Tensor":
            return net.together([p for _, p in chosen], [tokens[i] for i, _ in chosen])

        return encode_pictures(images, by_length(tokens), net.prepare, net.pictures, forward)

    def _tokens(self, net: Loaded, texts: Sequence[str]) -> list[list[int]]:
        tokens, cut = net.tokenize(texts)
        self.truncated += cut
        return tokens
