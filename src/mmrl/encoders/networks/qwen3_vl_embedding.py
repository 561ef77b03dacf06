"""Qwen3-VL-Embedding's network on a device, from transformers, and its prompt.

Rows are padded at their ends, where a causal model's other tokens never look, so that no mask is
needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from mmrl.encoders.device.device import Place
from mmrl.encoders.device.tokens import load_tokenizer
from mmrl.encoders.networks.chat_template import around
from mmrl.encoders.networks.patches import Patches
from mmrl.encoders.networks.qwen3_vl import Qwen3Vl

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class QwenVisualNetwork:
    """The model in evaluation mode; arguments and errors as with `Qwen3Vl`."""

    def __init__(self, folder: Path, place: Place, model: str) -> None:
        from transformers import Qwen3VLModel

        self._model = Qwen3Vl(Qwen3VLModel, folder, place, model, unused=("lm_head.",))
        self.side, self.merge = self._model.side, self._model.merge

    def vectors(
        self, images: Sequence[Patches], before: Sequence[int], after: Sequence[Sequence[int]]
    ) -> torch.Tensor:
        """Vectors of shape (n, dim), float32, each of length 1.

        Args:
            images: one a row.
            before: the tokens before every image.
            after: the tokens after each.
        """
        with torch.inference_mode():
            states = self._model.read(images, before, after, use_cache=False).states
            return F.normalize(states.float(), dim=-1)


@dataclass(frozen=True)
class Prompt:
    """The tokens around an image and a text.

    Attributes:
        tokenizer: neither pads nor cuts yet.
        before: the tokens before the image.
        between: those from there to the text.
        after: those after the text.
    """

    tokenizer: "Tokenizer"
    before: list[int]
    between: list[int]
    after: list[int]


def load_prompt(folder: Path, instruction: str, model: str) -> Prompt:
    """The prompt that a folder's template and tokenizer make.

    Args:
        model: the name on the hub, for errors.

    Raises:
        WeightsError: a file is broken, or the template does not put an image and a text in this
            order.
    """
    tokenizer = load_tokenizer(folder, model)
    system = {"role": "system", "content": [{"type": "text", "text": instruction}]}
    before, between, after = around(folder / "chat_template.jinja", model, [system])
    return Prompt(
        tokenizer,
        tokenizer.encode(before, add_special_tokens=False).ids,
        tokenizer.encode(between, add_special_tokens=False).ids,
        # The tokenizer itself puts one more at the end, whose output is the vector.
        tokenizer.encode(after, add_special_tokens=True).ids,
    )
