"""Qwen3-VL-Embedding: a picture and a text to one vector of length 1.

The prompt is that of its authors (QwenLM/Qwen3-VL-Embedding, src/models/qwen3_vl_embedding.py): an
instruction as the system's turn, picture and text as the user's; the vector is the output at the
last token, scaled to length 1 (arXiv:2601.04720). The network is in `qwen_visual_network`.

transformers' own model is used, not sentence-transformers' wrapper around it, so that pictures
are decoded ahead of the model and all positions are worked out on the host: left to itself the
model waits for the GPU in every layer of its image tower, and for every row of a batch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.threads import ModelLock
from mmrl.encoders.device.tokens import tokenize
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.visual import HubVisual
from mmrl.images.decode import open_rgb
from mmrl.images.picture import UnreadableError

if TYPE_CHECKING:
    import torch

NAME = "qwen3-vl-embedding-2b"
WIDTH = 2048
INSTRUCTION = "Represent the user's input."  # its authors' default
MAX_TOKENS = 512  # of the text; a title has at most 300 characters, a caption some hundred tokens
# A picture costs a token for every 32 x 32 pixels. Its authors allow 1,800 tokens, for pages of
# small print; at 256 (512 x 512 pixels) an item costs a fifth of that.
PICTURE_TOKENS = 256
_LEAST_TOKENS = 4  # its authors'
_LONGEST = 200  # times as long as wide; its authors refuse more


@dataclass(frozen=True)
class Patches:
    """A picture as the model takes it.

    Attributes:
        pixels: of shape (rows * columns, 3, side, side), uint8, in the order of the model's tokens:
            patches that are merged into one token stand together.
        rows, columns: how many patches there are, down and across.
    """

    pixels: np.ndarray
    rows: int
    columns: int


@dataclass(frozen=True)
class Grid:
    """How pictures are cut.

    Attributes:
        side: of a patch, in pixels.
        merge: this many patches down and across become one token.
        least, most: tokens of a picture, but for an extremely long one.
    """

    side: int
    merge: int
    least: int = _LEAST_TOKENS
    most: int = PICTURE_TOKENS

    def patches(self, data: bytes) -> Patches:
        """A file's pixels, resized to whole tokens and no more than `most` of them.

        Raises:
            UnreadableError: see `open_rgb`; or the picture is extremely long.
        """
        rgb = open_rgb(data)
        wide, high = self.size(*rgb.size)
        pixels = np.asarray(rgb.resize((wide, high), Image.Resampling.BICUBIC))
        rows, columns = high // self.side, wide // self.side
        cut = pixels.reshape(
            rows // self.merge,
            self.merge,
            self.side,
            columns // self.merge,
            self.merge,
            self.side,
            3,
        )
        ordered = cut.transpose(0, 3, 1, 4, 6, 2, 5).reshape(-1, 3, self.side, self.side)
        return Patches(np.ascontiguousarray(ordered), rows, columns)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of whole tokens, close to the picture's shape, as its authors do."""
        if max(width, height) > _LONGEST * min(width, height):
            raise UnreadableError(
                f"{width} x {height} pixels: more than {_LONGEST} times as long as wide"
            )
        token = self.side * self.merge
        least, most = self.least * token**2, self.most * token**2
        wide, high = (round(length / token) * token for length in (width, height))
        if wide * high > most:
            scale = math.sqrt(width * height / most)
            wide, high = (
                max(token, math.floor(length / scale / token) * token) for length in (width, height)
            )
        elif wide * high < least:
            scale = math.sqrt(least / (width * height))
            wide, high = (math.ceil(length * scale / token) * token for length in (width, height))
        return wide, high


class QwenVisual(HubVisual["_Loaded"]):
    """A VisualEncoder; see `HubVisual`. Texts are cut at 512 tokens."""

    name = NAME
    stored = 2  # bfloat16
    rules = f"upright,{PICTURE_TOKENS}img,{MAX_TOKENS}tok,last,l2"

    @property
    def dim(self) -> int:
        """2,048, but for a local folder that says otherwise."""
        return self._model.width(WIDTH, "text_config", "hidden_size")

    def _load(self) -> "_Loaded":
        return _Loaded(self._model)


class _Loaded:
    """Network and tokenizer in memory, and how much they take at once."""

    def __init__(self, model: Checkpoint) -> None:
        from mmrl.encoders.networks.qwen3_vl_embedding import QwenVisualNetwork, load_prompt

        folder = model.folder()
        self._network = QwenVisualNetwork(folder, model.place, model.name)
        self._prompt = load_prompt(folder, INSTRUCTION, model.name)
        self._tokenizer = self._prompt.tokenizer
        # A title may spell out a marker such as <|im_end|>; it is text there, and nothing else.
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._lock = ModelLock()
        self.prepare = Grid(self._network.side, self._network.merge).patches
        self.pictures = BatchSize(NAME, 32 if model.place.on_gpu else 2, "pictures")

    def tokenize(self, texts: Sequence[str]) -> tuple[list[list[int]], int]:
        """Each text's token ids, without the prompt's, and how many texts were cut."""
        return tokenize(self._tokenizer, texts, markers=False)

    def together(self, pictures: Sequence[Patches], tokens: Sequence[list[int]]) -> "torch.Tensor":
        """See `VisualNetwork`."""
        with self._lock:
            prompt = self._prompt
            endings = [prompt.between + text + prompt.after for text in tokens]
            return self._network.vectors(pictures, prompt.before, endings)
