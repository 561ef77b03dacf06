"""Qwen3-VL-Instruct's network on a device, from transformers, and its prompt.

Rows of a batch have different lengths, as pictures have. They are padded at their ends while the
prompt is read, where a causal model's other tokens never look; what is written then stands behind
the padding, and a mask hides that.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from mmrl.encoders.device.device import Place
from mmrl.encoders.device.images import to_device
from mmrl.encoders.device.tokens import load_tokenizer
from mmrl.encoders.networks.chat_template import around
from mmrl.encoders.networks.greedy import greedy
from mmrl.encoders.networks.load import load_pretrained
from mmrl.encoders.networks.patches import Patches
from mmrl.encoders.networks.qwen3_vl import QwenSight
from mmrl.errors import WeightsError

_CUT = "\N{REPLACEMENT CHARACTER}"  # what is left of a character whose bytes were cut apart


class QwenCaptionsNetwork:
    """The model in evaluation mode, and its tokenizer.

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
        from transformers import Qwen3VLForConditionalGeneration

        self._place = place
        self._model = load_pretrained(
            Qwen3VLForConditionalGeneration, folder, place, model, use_safetensors=True
        )
        self._sight = QwenSight(self._model.model, folder, place)
        self.side, self.merge = self._sight.side, self._sight.merge
        self._stops = _stops(folder, model)
        self._tokenizer = load_tokenizer(folder, model)
        self._around = around(folder / "chat_template.json", model)

    def write(self, pictures: Sequence[Patches], prompt: str, most: int) -> list[str]:
        """What the model says of each picture, in at most `most` tokens."""
        before, between, after = (self._tokens(text) for text in self._around)
        ending = [*between, *self._tokens(prompt, markers=False), *after]
        with torch.inference_mode():
            decoding = _Decoding(self._model, self._sight, self._place)
            decoding.read(pictures, before, [ending] * len(pictures))
            written = greedy(decoding, self._stops, most)
        texts = self._tokenizer.decode_batch(written, skip_special_tokens=True)
        return [text.rstrip(_CUT) for text in texts]

    def _tokens(self, text: str, markers: bool = True) -> list[int]:
        """Token ids; a marker such as <|im_end|> in the prompt is text there, and nothing else."""
        self._tokenizer.encode_special_tokens = not markers
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


class _Decoding:
    """A batch of pictures in the text model's cache; `read` comes first."""

    def __init__(self, model: Any, sight: QwenSight, place: Place) -> None:
        from transformers import DynamicCache

        self._model, self._sight, self._place = model, sight, place
        self._cache = DynamicCache(config=model.config.text_config)

    def read(
        self, pictures: Sequence[Patches], before: Sequence[int], after: Sequence[Sequence[int]]
    ) -> None:
        """Reads the rows; see `QwenSight.rows`."""
        grids, seen = self._sight.seen(pictures)
        ids, positions, last = self._sight.rows(pictures, before, after)
        states = self._model.model(
            input_ids=to_device(ids, self._place),
            position_ids=to_device(positions, self._place),
            image_grid_thw=grids,
            mm_encoder_outputs={"image": seen},
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        rows = np.arange(len(ids))
        self._states = states[
            torch.arange(len(ids), device=states.device), to_device(last, self._place)
        ]
        # Time, height and width of the next token, the same for text: (3, n, 1).
        self._next = to_device(positions[:, rows, last][:, :, None] + 1, self._place)
        padded = last < ids.shape[1] - 1
        there = np.arange(ids.shape[1]) <= last[:, None]
        # Without a mask the device's fastest attention can be taken.
        self._there = to_device(there, self._place) if padded.any() else None

    def first(self) -> torch.Tensor:
        return self._scores(self._states)

    def following(self, tokens: torch.Tensor) -> torch.Tensor:
        mask = None
        if self._there is not None:
            self._there = F.pad(self._there, (0, 1), value=True)
            mask = self._there[:, None, None, :]
        states = self._model.model(
            input_ids=tokens[:, None],
            position_ids=self._next,
            attention_mask=mask,
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        self._next = self._next + 1
        return self._scores(states[:, -1])

    def keep(self, rows: torch.Tensor) -> None:
        self._cache.batch_select_indices(rows)
        self._next = self._next[:, rows]
        if self._there is not None:
            self._there = self._there[rows]

    def _scores(self, states: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self._model.lm_head(states)
        return scores


def _stops(folder: Path, model: str) -> set[int]:
    """The tokens that end a text."""
    path = folder / "generation_config.json"
    try:
        given = json.loads(path.read_text("utf-8"))["eos_token_id"]
        return {int(given)} if isinstance(given, int) else {int(token) for token in given}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path} does not say which tokens end a text ({error}): run `mmrl weights fetch "
            f"{model}`."
        ) from error
