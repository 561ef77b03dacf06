"""Visualized BGE m3: a picture and a text, or either alone, to one vector of length 1.

The published `encode` takes one item at a time; here items go through the network in batches,
padded and sorted by the length of their texts. The network is in `visualized_bge_network`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mmrl.encoders.batches import BatchSize
from mmrl.encoders.checkpoint import Checkpoint
from mmrl.encoders.loaded import loaded
from mmrl.encoders.pairs import Rows, by_length, clean, encode_pictures, same_number, to_device
from mmrl.encoders.pictures import middle, open_rgb
from mmrl.encoders.threads import ModelLock

if TYPE_CHECKING:
    import torch

    from mmrl.encoders.visualized_bge_network import VisualizedBgeNetwork

NAME = "visualized-bge-m3"
WIDTH = 1024
SIDE = 224  # pixels
# A Reddit title has at most 300 characters and a caption some hundred tokens: 512 cut neither, and
# keep one long text from costing its whole batch dear. The published code does not cut.
MAX_TOKENS = 512
_PAD = 1


class VisualizedBge:
    """A VisualEncoder, and a TextEncoder by `encode_texts`.

    Attributes:
        truncated: texts cut at 512 tokens so far.
    """

    def __init__(self, model: Checkpoint, text_model: Checkpoint) -> None:
        """Takes all weights from `model`; tokenizer and sizes from `text_model`, bge-m3."""
        self._model = model
        self._text_model = text_model
        self.truncated = 0

    @property
    def id(self) -> str:
        """`visualized-bge-m3@revision+preprocessing`."""
        return f"{NAME}@{self._model.revision}+upright,{SIDE}crop,{MAX_TOKENS}tok,cls,l2"

    @property
    def dim(self) -> int:
        """1,024, but for a local bge-m3 that says otherwise."""
        if self._text_model.local is None:
            return WIDTH
        return self._text_model.said("hidden_size")

    def check(self) -> None:
        """Raises WeightsError where a file of either model is missing."""
        self._model.check()
        self._text_model.check()

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

        def forward(chosen: Sequence[tuple[int, np.ndarray]]) -> "torch.Tensor":
            return net.with_pictures([p for _, p in chosen], [tokens[i] for i, _ in chosen])

        return encode_pictures(images, by_length(tokens), square, net.pictures, forward)

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

    def _tokens(self, net: "_Loaded", texts: Sequence[str]) -> list[list[int]]:
        tokens, cut = net.tokenize(texts)
        self.truncated += cut
        return tokens

    def _network(self) -> "_Loaded":
        place, weights = self._model.place, self._model.weights()
        scale = 2 if place.dtype == "float32" else 1  # the published file is float16
        return loaded(
            (NAME, self._model, self._text_model),
            place,
            weights.stat().st_size * scale,
            lambda: _Loaded(self._model, self._text_model),
        )


class _Loaded:
    """Network and tokenizer in memory, and how much they take at once."""

    def __init__(self, model: Checkpoint, text_model: Checkpoint) -> None:
        from tokenizers import Tokenizer

        from mmrl.encoders.visualized_bge_network import load

        folder = text_model.folder()
        self._place = model.place
        network = load(model.weights(), folder)
        # A picture and a text of this many tokens have positions.
        self._max_tokens = min(MAX_TOKENS, network.positions - network.patches)
        self._network: VisualizedBgeNetwork = network.to(
            self._place.torch_device, self._place.torch_dtype
        )
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(self._max_tokens)
        self._tokenizer.no_padding()
        self._lock = ModelLock()
        on_gpu = self._place.on_gpu
        self.pictures = BatchSize(NAME, 64 if on_gpu else 4, "pictures")
        self.texts = BatchSize(NAME, 16_384 if on_gpu else 2_048, "tokens")

    def tokenize(self, texts: Sequence[str]) -> tuple[list[list[int]], int]:
        """Each text's token ids, and how many texts were longer than allowed."""
        encodings = self._tokenizer.encode_batch(clean(texts))
        return [e.ids for e in encodings], sum(bool(e.overflowing) for e in encodings)

    def with_pictures(
        self, pixels: Sequence[np.ndarray], tokens: Sequence[list[int]]
    ) -> "torch.Tensor":
        """Vectors of pictures and texts together, on the device."""
        import torch

        with self._lock, torch.inference_mode():
            ids, mask = self._padded(tokens)
            return self._network.with_pictures(to_device(np.stack(pixels), self._place), ids, mask)

    def texts_alone(self, tokens: Sequence[list[int]]) -> "torch.Tensor":
        """Vectors of texts, on the device."""
        import torch

        with self._lock, torch.inference_mode():
            return self._network.texts_alone(*self._padded(tokens))

    def _padded(self, tokens: Sequence[list[int]]) -> tuple["torch.Tensor", "torch.Tensor | None"]:
        longest = max(map(len, tokens))
        ids = np.full((len(tokens), longest), _PAD, np.int64)
        for row, item in enumerate(tokens):
            ids[row, : len(item)] = item
        mask = np.arange(longest) < np.array([[len(item)] for item in tokens])
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
