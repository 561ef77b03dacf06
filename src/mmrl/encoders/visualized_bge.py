"""Visualized BGE m3: a picture and a text, or either alone, to one vector of length 1.

The published `encode` takes one item at a time; here items go through the network in batches,
padded and sorted by the length of their texts. The network is in `visualized_bge_network`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.pictures import Rows, to_device
from mmrl.encoders.device.threads import ModelLock
from mmrl.encoders.device.tokens import by_length, load_tokenizer, padded, tokenize
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.visual import HubVisual
from mmrl.images.decode import middle, open_rgb

if TYPE_CHECKING:
    import torch

    from mmrl.encoders.networks.visualized_bge import VisualizedBgeNetwork

NAME = "visualized-bge-m3"
WIDTH = 1024
SIDE = 224  # pixels
# A Reddit title has at most 300 characters and a caption some hundred tokens: 512 cut neither, and
# keep one long text from costing its whole batch dear. The published code does not cut.
MAX_TOKENS = 512
_PAD = 1


class VisualizedBge(HubVisual["_Loaded"]):
    """A VisualEncoder, and a TextEncoder by `encode_texts`. Texts are cut at 512 tokens."""

    name = NAME
    stored = 2  # float16
    rules = f"upright,{SIDE}crop,{MAX_TOKENS}tok,cls,l2"

    def __init__(self, model: Checkpoint, text_model: Checkpoint) -> None:
        """Takes all weights from `model`; tokenizer and sizes from `text_model`, bge-m3."""
        super().__init__(model, text_model)
        self._text_model = text_model

    @property
    def dim(self) -> int:
        """1,024, but for a local bge-m3 that says otherwise."""
        return self._text_model.width(WIDTH, "hidden_size")

    def encode_images(self, images: Sequence[bytes]) -> np.ndarray:
        """Vectors of pictures alone; else as `encode`."""
        return self.encode(images, [""] * len(images))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts alone, of shape (len(texts), dim), float32, each of length 1."""
        if not len(texts):
            return np.empty((0, self.dim), np.float32)
        net = self._network()
        tokens = self._tokens(net, texts)
        order = by_length(tokens)
        results = Rows()

        def forward(chosen: Sequence[int]) -> "torch.Tensor":
            return net.texts_alone([tokens[order[i]] for i in chosen])

        for batch in net.texts.split([len(tokens[i]) for i in order]):
            for part, rows in net.texts.run(batch, forward):
                results.add([order[i] for i in part], rows)
        return results.stacked()

    def _load(self) -> "_Loaded":
        return _Loaded(self._model, self._text_model)


class _Loaded:
    """Network and tokenizer in memory, and how much they take at once."""

    def __init__(self, model: Checkpoint, text_model: Checkpoint) -> None:
        from mmrl.encoders.networks.visualized_bge import load

        folder = text_model.folder()
        self._place = model.place
        network = load(model.weights(), folder)
        # A picture and a text of this many tokens have positions.
        self._max_tokens = min(MAX_TOKENS, network.positions - network.patches)
        self._network: VisualizedBgeNetwork = network.to(
            self._place.torch_device, self._place.torch_dtype
        )
        self._tokenizer = load_tokenizer(folder, text_model.name)
        self._tokenizer.enable_truncation(self._max_tokens)
        self._lock = ModelLock()
        on_gpu = self._place.on_gpu
        self.pictures = BatchSize(NAME, 64 if on_gpu else 4, "pictures")
        self.texts = BatchSize(NAME, 16_384 if on_gpu else 2_048, "tokens")

    def tokenize(self, texts: Sequence[str]) -> tuple[list[list[int]], int]:
        """Each text's token ids, and how many texts were longer than allowed."""
        return tokenize(self._tokenizer, texts)

    def prepare(self, data: bytes) -> np.ndarray:
        """See `square`."""
        return square(data)

    def together(
        self, pictures: Sequence[np.ndarray], tokens: Sequence[list[int]]
    ) -> "torch.Tensor":
        """See `VisualNetwork`."""
        import torch

        with self._lock, torch.inference_mode():
            ids, mask = self._padded(tokens)
            pixels = to_device(np.stack(pictures), self._place)
            return self._network.with_pictures(pixels, ids, mask)

    def texts_alone(self, tokens: Sequence[list[int]]) -> "torch.Tensor":
        """Vectors of texts, on the device."""
        import torch

        with self._lock, torch.inference_mode():
            return self._network.texts_alone(*self._padded(tokens))

    def _padded(self, tokens: Sequence[list[int]]) -> tuple["torch.Tensor", "torch.Tensor | None"]:
        ids, lengths = padded(tokens, _PAD)
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        # Without a mask the device's fastest attention can be taken.
        return to_device(ids, self._place), None if mask.all() else to_device(mask, self._place)


def square(data: bytes) -> np.ndarray:
    """A picture as the model takes it: (224, 224, 3), uint8, RGB.

    As published: the shorter side to 224 pixels (bicubic, antialiased), then the centre. Unlike
    the published code, a picture is turned upright and transparency laid on white first.

    Raises:
        UnreadableError: see `open_rgb`.
    """
    rgb = middle(open_rgb(data))
    width, height = rgb.size
    shorter = min(width, height)
    # The sizes and the corner in whole pixels as torchvision's Resize and CenterCrop round them.
    wide, high = int(SIDE * width / shorter), int(SIDE * height / shorter)
    left, top = round((wide - SIDE) / 2), round((high - SIDE) / 2)
    centre = (left, top, left + SIDE, top + SIDE)
    return np.asarray(rgb.resize((wide, high), Image.Resampling.BICUBIC).crop(centre))
