"""Qwen3-VL-Embedding: a picture and a text to one vector of length 1.

The prompt is that of its authors (QwenLM/Qwen3-VL-Embedding, src/models/qwen3_vl_embedding.py): an
instruction as the system's turn, picture and text as the user's; the vector is the output at the
last token, scaled to length 1 (arXiv:2601.04720). The network is in `qwen_visual_network`.

transformers' own model is used, not sentence-transformers' wrapper around it, so that pictures
are decoded ahead of the model and all positions are worked out on the host: left to itself the
model waits for the GPU in every layer of its image tower, and for every row of a batch.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.threads import ModelLock
from mmrl.encoders.device.tokens import tokenize
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.networks.patches import PICTURE_TOKENS, Grid, Patches
from mmrl.encoders.visual import HubVisual

if TYPE_CHECKING:
    import torch

NAME = "qwen3-vl-embedding-2b"
WIDTH = 2048
INSTRUCTION = "Represent the user's input."  # its authors' default
MAX_TOKENS = 512  # of the text; a title has at most 300 characters, a caption some hundred tokens


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
