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
from mmrl.encoders.device.images import to_device
from mmrl.encoders.device.tokens import load_tokenizer
from mmrl.encoders.networks.chat_template import around
from mmrl.encoders.networks.load import load_pretrained
from mmrl.encoders.networks.patches import Patches
from mmrl.encoders.networks.qwen3_vl import QwenSight

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class QwenVisualNetwork:
    """The model in evaluation mode.

    Attributes:
        side: of a patch, in pixels.
        merge: this many patches down and across become one token.
    """

    def __init__(self, folder: Path, place: Place, model: str) -> None:
        """Loads it.

        Args:
            model: the name on the hub, for errors.

        Raises:
            WeightsError: a file is broken, or the weights are not the model's.
        """
        from transformers import Qwen3VLModel

        self._place = place
        self._model = load_pretrained(
            Qwen3VLModel, folder, place, model, unused=("lm_head.",), use_safetensors=True
        )
        self._sight = QwenSight(self._model, folder, place)
        self.side, self.merge = self._sight.side, self._sight.merge

    def vectors(
        self, pictures: Sequence[Patches], before: Sequence[int], after: Sequence[Sequence[int]]
    ) -> torch.Tensor:
        """Vectors of shape (n, dim), float32, each of length 1.

        Args:
            pictures: one a row.
            before: the tokens before every picture.
            after: the tokens after each.
        """
        with torch.inference_mode():
            grids, seen = self._sight.seen(pictures)
            ids, positions, last = self._sight.rows(pictures, before, after)
            out = self._model(
                input_ids=to_device(ids, self._place),
                position_ids=to_device(positions, self._place),
                image_grid_thw=grids,
                mm_encoder_outputs={"image": seen},
                use_cache=False,
            ).last_hidden_state
            chosen = out[torch.arange(len(ids), device=out.device), to_device(last, self._place)]
            return F.normalize(chosen.float(), dim=-1)


@dataclass(frozen=True)
class Prompt:
    """The tokens around a picture and a text.

    Attributes:
        tokenizer: neither pads nor cuts yet.
        before: the tokens before the picture.
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
        WeightsError: a file is broken, or the template does not put a picture and a text in this
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
