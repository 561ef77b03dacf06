"""Kosmos-2's network on a device, from transformers, and its preparation of images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch.nn import functional as F

from mmrl.encoders.device.device import Place
from mmrl.encoders.device.images import to_device
from mmrl.encoders.networks.greedy import greedy
from mmrl.encoders.networks.load import load_pretrained
from mmrl.errors import WeightsError
from mmrl.images.decode import middle, open_rgb

# Tables that are worked out, not learned; files written by older libraries may have them.
_WORKED_OUT = ("text_model.model.embed_positions.", "vision_model.model.embeddings.position_ids")


class KosmosNetwork:
    """The model in evaluation mode."""

    def __init__(self, folder: Path, place: Place, model: str) -> None:
        """Loads it.

        Args:
            model: the name on the hub, for errors.

        Raises:
            WeightsError: a file is broken, or the weights are not Kosmos-2's.
        """
        from transformers import Kosmos2ForConditionalGeneration

        self._place = place
        self._model = load_pretrained(
            Kosmos2ForConditionalGeneration,
            folder,
            place,
            model,
            unused=_WORKED_OUT,
            use_safetensors=True,
        )
        self.prepare = _Preparation(folder, model)
        self._mean = torch.tensor(self.prepare.mean, device=place.torch_device)
        self._std = torch.tensor(self.prepare.std, device=place.torch_device)
        self._queries: int = self._model.config.latent_query_num
        stops = self._model.config.text_config.eos_token_id
        self._stops = {stops} if isinstance(stops, int) else set(stops)

    def prompt(self, tokenizer: Tokenizer, text: str) -> list[int]:
        """The tokens of an image and a text, as transformers' Kosmos2Processor makes them.

        The image's own tokens stand where the words of its features go. They are looked up and
        then overwritten, and only have to be none of `<s> <pad> </s> <unk>`.
        """
        written = f"<s>{' '.join(['<image>'] * (1 + self._queries))} </image> {text.strip()}"
        tokens = list(tokenizer.encode(written, add_special_tokens=False).ids)
        first = tokenizer.encode("<unk>", add_special_tokens=False).ids[-1] + 1
        tokens[2 : 2 + self._queries] = range(first, first + self._queries)
        return tokens

    def write(self, pixels: np.ndarray, prompt: Sequence[int], most: int) -> list[list[int]]:
        """New tokens for each image, at most `most`.

        Args:
            pixels: of shape (n, side, side, 3), uint8.
            prompt: see `prompt`; equal for all, so that nothing is padded.
        """
        with torch.inference_mode():
            scaled = (to_device(pixels, self._place).float() / 255 - self._mean) / self._std
            seen = self._seen(scaled.permute(0, 3, 1, 2).to(self._place.torch_dtype))
            tokens = torch.tensor([list(prompt)], device=self._place.torch_device)
            decoding = _Decoding(self._model.text_model, seen, tokens.expand(len(pixels), -1))
            return greedy(decoding, self._stops, most)

    def _seen(self, pixels: torch.Tensor) -> torch.Tensor:
        """Images as the text model's words, as transformers' `generate` makes them."""
        vision = self._model.vision_model
        states = vision.model.post_layernorm(vision(pixel_values=pixels).last_hidden_state)
        words: torch.Tensor = self._model.image_to_text_projection(F.normalize(states, dim=-1))[0]
        return words


class _Decoding:
    """A batch of images in the text model's cache."""

    def __init__(self, model: Any, seen: torch.Tensor, prompt: torch.Tensor) -> None:
        from transformers import DynamicCache

        self._model, self._seen, self._prompt = model, seen, prompt
        self._cache = DynamicCache(config=model.config)

    def first(self) -> torch.Tensor:
        places = torch.zeros_like(self._prompt)
        places[:, 2 : 2 + self._seen.shape[1]] = 1
        return self._scores(
            self._prompt,
            image_embeds=self._seen,
            image_embeds_position_mask=places,
        )

    def following(self, tokens: torch.Tensor) -> torch.Tensor:
        return self._scores(tokens[:, None])

    def keep(self, rows: torch.Tensor) -> None:
        self._cache.batch_select_indices(rows)

    def _scores(self, tokens: torch.Tensor, **images: torch.Tensor) -> torch.Tensor:
        out = self._model(
            input_ids=tokens,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
            **images,
        )
        scores: torch.Tensor = out.logits[:, -1]
        return scores


class _Preparation:
    """What a folder's `preprocessor_config.json` says, as transformers' CLIPImageProcessorPil does.

    The published file says that the whole image is squeezed into a square. One that gives a
    shortest edge and no more has the shorter side resized, and the middle cut out.

    Attributes:
        mean, std: of each colour, for pixels from 0 to 1; they are scaled on the device.
    """

    def __init__(self, folder: Path, model: str) -> None:
        path = folder / "preprocessor_config.json"
        try:
            settings = json.loads(path.read_text("utf-8"))
            size = settings["size"]
            self._squeezed = "shortest_edge" not in size or bool(settings.get("use_square_size"))
            edge = size.get("shortest_edge")
            self._size = (edge, edge) if edge is not None else (size["width"], size["height"])
            self._resample = Image.Resampling(settings.get("resample", Image.Resampling.BICUBIC))
            self.mean: list[float] = settings["image_mean"]
            self.std: list[float] = settings["image_std"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{path} does not say how to prepare images ({error}): run `mmrl weights fetch "
                f"{model}`."
            ) from error

    def __call__(self, data: bytes) -> np.ndarray:
        """A file as pixels of shape (side, side, 3), uint8.

        Raises:
            UnreadableError: see `open_rgb`.
        """
        rgb = open_rgb(data)
        if self._squeezed:
            return np.asarray(rgb.resize(self._size, self._resample))
        rgb = middle(rgb)
        side, shorter = self._size[0], min(rgb.size)
        wide, high = (int(side * length / shorter) for length in rgb.size)
        left, top = (wide - side) // 2, (high - side) // 2
        resized = rgb.resize((wide, high), self._resample)
        return np.asarray(resized.crop((left, top, left + side, top + side)))
