"""Qwen3-VL-Instruct's network on a device, from transformers, and its prompt.

Rows of a batch have different lengths, as images have. They are padded at their ends while the
prompt is read, where a causal model's other tokens never look; what is written then stands behind
the padding, and a mask hides that.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from mmrl.encoders.device.device import Place
from mmrl.encoders.device.images import to_device
from mmrl.encoders.device.tokens import load_tokenizer
from mmrl.encoders.networks.chat_template import around
from mmrl.encoders.networks.greedy import greedy
from mmrl.encoders.networks.patches import Patches
from mmrl.encoders.networks.qwen3_vl import Qwen3Vl
from mmrl.errors import WeightsError

_CUT = "\N{REPLACEMENT CHARACTER}"  # what is left of a character whose bytes were cut apart


class QwenCaptionsNetwork:
    """The model in evaluation mode, and its tokenizer; arguments and errors as with `Qwen3Vl`."""

    def __init__(self, folder: Path, place: Place, model: str) -> None:
        from transformers import Qwen3VLForConditionalGeneration

        self._place = place
        self._model = Qwen3Vl(Qwen3VLForConditionalGeneration, folder, place, model)
        self.side, self.merge = self._model.side, self._model.merge
        self._stops = _stops(folder, model)
        self._tokenizer = load_tokenizer(folder, model)
        self._around = around(folder / "chat_template.json", model)

    def write(self, images: Sequence[Patches], prompt: str, most: int) -> list[str]:
        """What the model says of each image, in at most `most` tokens."""
        before, between, after = (self._tokens(text) for text in self._around)
        ending = [*between, *self._tokens(prompt, markers=False), *after]
        with torch.inference_mode():
            decoding = _Decoding(self._model, self._place)
            decoding.read(images, before, [ending] * len(images))
            written = greedy(decoding, self._stops, most)
        texts = self._tokenizer.decode_batch(written, skip_special_tokens=True)
        return [text.rstrip(_CUT) for text in texts]

    def _tokens(self, text: str, markers: bool = True) -> list[int]:
        """Token ids; a marker such as <|im_end|> in the prompt is text there, and nothing else."""
        self._tokenizer.encode_special_tokens = not markers
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


class _Decoding:
    """A batch of images in the text model's cache; `read` comes first."""

    def __init__(self, model: Qwen3Vl, place: Place) -> None:
        from transformers import DynamicCache

        self._model, self._network, self._place = model, model.network, place
        self._cache = DynamicCache(config=self._network.config.text_config)

    def read(
        self, images: Sequence[Patches], before: Sequence[int], after: Sequence[Sequence[int]]
    ) -> None:
        """Reads the rows; see `Qwen3Vl.rows`."""
        cache = {"past_key_values": self._cache, "use_cache": True}
        read = self._model.read(images, before, after, **cache)
        self._states = read.states
        rows, last = np.arange(len(images)), read.last
        # Time, height and width of the next token, the same for text: (3, n, 1).
        self._next = to_device(read.positions[:, rows, last][:, :, None] + 1, self._place)
        length = read.positions.shape[2]
        padded = last < length - 1
        there = np.arange(length) <= last[:, None]
        # Without a mask the device's fastest attention can be taken.
        self._there = to_device(there, self._place) if padded.any() else None

    def first(self) -> torch.Tensor:
        return self._scores(self._states)

    def following(self, tokens: torch.Tensor) -> torch.Tensor:
        mask = None
        if self._there is not None:
            self._there = F.pad(self._there, (0, 1), value=True)
            mask = self._there[:, None, None, :]
        states = self._network.model(
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
        scores: torch.Tensor = self._network.lm_head(states)
        return scores


def _stops(folder: Path, model: str) -> set[int]:
    """The tokens that end a text."""
    path = folder / "generation_config.json"
    try:
        ids = json.loads(path.read_text("utf-8"))["eos_token_id"]
        return {int(ids)} if isinstance(ids, int) else {int(token) for token in ids}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path} does not say which tokens end a text ({error}): run `mmrl weights fetch "
            f"{model}`."
        ) from error
