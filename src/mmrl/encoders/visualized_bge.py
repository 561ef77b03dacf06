"""Visualized BGE m3: a picture and a text, or either alone, to one vector of length 1.

The published `encode` takes one item at a time; here items go through the network in batches,
padded and sorted by the length of their texts. The network is in `visualized_bge_network`.
"""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mmrl.encoders.batches import BatchSize
from mmrl.encoders.checkpoint import Checkpoint
from mmrl.encoders.loaded import loaded
from mmrl.encoders.pictures import UnreadableError, decode_ahead, open_rgb
from mmrl.encoders.protocols import UnreadableImagesError
from mmrl.encoders.threads import ModelLock
from mmrl.errors import InputError, WeightsError

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
# Times as long as wide: beyond that only the centre is resized (equal but for Pillow's rounding),
# because all of a picture of 1 x 50,000 pixels would need gigabytes.
_LONGEST = 16


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
        return _width(self._text_model)

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
        if len(images) != len(texts):
            raise InputError(
                f"{len(images)} images were given with {len(texts)} texts; give as many texts, "
                'with "" for a picture without one.'
            )
        if not len(images):
            return np.empty((0, self.dim), np.float32)
        net = self._network()
        tokens = self._tokens(net, texts)
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        results = _Rows(len(images))
        errors: dict[int, str] = {}
        places = iter(order)
        for decoded in decode_ahead([images[i] for i in order], square, net.pictures.size):
            good: list[tuple[int, np.ndarray]] = []
            for pixels in decoded:
                place = next(places)
                if isinstance(pixels, UnreadableError):
                    errors[place] = str(pixels)
                else:
                    good.append((place, pixels))

            def forward(chosen: Sequence[int], good: list = good) -> "torch.Tensor":
                return net.with_pictures(
                    [good[i][1] for i in chosen], [tokens[good[i][0]] for i in chosen]
                )

            for batch in net.pictures.split([1] * len(good)):
                for part, rows in net.pictures.run(batch, forward):
                    results.add([good[i][0] for i in part], rows)
        if errors:
            raise UnreadableImagesError(dict(sorted(errors.items())))
        return results.stacked()

    def encode_images(self, images: Sequence[bytes]) -> np.ndarray:
        """Vectors of pictures alone; else as `encode`."""
        return self.encode(images, [""] * len(images))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts alone, of shape (len(texts), dim), float32, each of length 1."""
        if not len(texts):
            return np.empty((0, self.dim), np.float32)
        net = self._network()
        tokens = self._tokens(net, texts)
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        results = _Rows(len(texts))

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
        # A lone surrogate is no Unicode text and the tokenizer refuses it: it reads as "?".
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        encodings = self._tokenizer.encode_batch(clean)
        return [e.ids for e in encodings], sum(bool(e.overflowing) for e in encodings)

    def with_pictures(
        self, pixels: Sequence[np.ndarray], tokens: Sequence[list[int]]
    ) -> "torch.Tensor":
        """Vectors of pictures and texts together, on the device."""
        import torch

        with self._lock, torch.inference_mode():
            ids, mask = self._padded(tokens)
            return self._network.with_pictures(self._there(np.stack(pixels)), ids, mask)

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
        return self._there(ids), None if mask.all() else self._there(mask)

    def _there(self, array: np.ndarray) -> "torch.Tensor":
        """An array on the device; on CUDA copied while the device still works on the last one."""
        import torch

        tensor = torch.from_numpy(array)
        if self._place.torch_device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._place.torch_device, non_blocking=True)


class _Rows:
    """Rows that come in any order, left on the device until all are there.

    Fetching a batch's rows would wait for the device, and leave it idle while the next batch is
    put together.
    """

    def __init__(self, count: int) -> None:
        self._places: list[int] = []
        self._rows: list[torch.Tensor] = []
        self._count = count

    def add(self, places: Iterable[int], rows: "torch.Tensor") -> None:
        """Keeps rows for these places."""
        self._places += places
        self._rows.append(rows)

    def stacked(self) -> np.ndarray:
        """All rows in order, of shape (count, dim), float32."""
        import torch

        rows = torch.cat(self._rows).float().cpu().numpy()
        result = np.empty((self._count, rows.shape[1]), np.float32)
        result[self._places] = rows
        return result


def square(data: bytes) -> np.ndarray:
    """A picture as the model takes it: (224, 224, 3), uint8, RGB.

    As published: the shorter side to 224 pixels (bicubic, antialiased), then the centre. Unlike
    the published code, a picture is turned upright and transparency laid on white first.

    Raises:
        UnreadableError: see `open_rgb`.
    """
    rgb = open_rgb(data)
    width, height = rgb.size
    shorter = min(width, height)
    # The sizes and the corner in whole pixels as torchvision's Resize and CenterCrop round them.
    wide, high = int(SIDE * width / shorter), int(SIDE * height / shorter)
    left, top = round((wide - SIDE) / 2), round((high - SIDE) / 2)
    centre = (left, top, left + SIDE, top + SIDE)
    if max(wide, high) <= _LONGEST * SIDE:
        return np.asarray(rgb.resize((wide, high), Image.Resampling.BICUBIC).crop(centre))
    across, down = width / wide, height / high
    box = (left * across, top * down, (left + SIDE) * across, (top + SIDE) * down)
    return np.asarray(rgb.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box))


def _width(text_model: Checkpoint) -> int:
    path = text_model.folder() / "config.json"
    try:
        return int(json.loads(path.read_text("utf-8"))["hidden_size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} does not say `hidden_size`: {error}; fetch it anew.") from error
