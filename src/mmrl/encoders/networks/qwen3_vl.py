"""Qwen3-VL on a device, from transformers: images as tokens, and the rows they stand in.

transformers works out positions from what lies on the device, and waits for it each time. Here
they are worked out on the host and handed over.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmrl.encoders.device.device import Place
from mmrl.encoders.device.images import to_device
from mmrl.encoders.networks.load import load_pretrained
from mmrl.encoders.networks.patches import Patches
from mmrl.encoders.networks.torchvision import ensure_torchvision
from mmrl.errors import WeightsError

ensure_torchvision()

from transformers.vision_utils import (  # noqa: E402
    get_vision_cu_seqlens,
    get_vision_interpolation_indices_and_weights,
    get_vision_position_ids,
)


@dataclass(frozen=True)
class Read:
    """A batch of rows as a model has read it.

    Attributes:
        states: the output at each row's last token, (n, width), on the device.
        positions: of all tokens in time, height and width, (3, n, length), on the host.
        last: the place of each row's last token, (n,), on the host.
    """

    states: torch.Tensor
    positions: np.ndarray
    last: np.ndarray


class Qwen3Vl:
    """One of Qwen3-VL's models in evaluation mode, with its inputs worked out on the host.

    Attributes:
        network: transformers' model, with its head where it has one.
        side: of a patch, in pixels.
        merge: this many patches down and across become one token.
    """

    def __init__(
        self, kind: Any, folder: Path, place: Place, model: str, unused: tuple[str, ...] = ()
    ) -> None:
        """Loads it.

        Args:
            kind: transformers' class.
            model: the name on the hub, for errors.
            unused: beginnings of the names of weights that the file has and the class not.

        Raises:
            WeightsError: a file is broken, or the weights are not the model's.
        """
        self.network = load_pretrained(
            kind, folder, place, model, unused=unused, use_safetensors=True
        )
        self._place = place
        self._model = self.network.base_model  # transformers' Qwen3VLModel
        vision = self._model.config.vision_config
        self.side: int = vision.patch_size
        self.merge: int = vision.spatial_merge_size
        self._frames: int = vision.temporal_patch_size
        self._mean, self._std = _scale(folder)

    def read(
        self,
        images: Sequence[Patches],
        before: Sequence[int],
        after: Sequence[Sequence[int]],
        **cache: Any,
    ) -> Read:
        """Reads images in the rows they stand in; see `rows`.

        Args:
            cache: transformers' `use_cache` and `past_key_values`.
        """
        grids, seen = self.seen(images)
        ids, positions, last = self.rows(images, before, after)
        states = self._model(
            input_ids=to_device(ids, self._place),
            position_ids=to_device(positions, self._place),
            image_grid_thw=grids,
            mm_encoder_outputs={"image": seen},
            **cache,
        ).last_hidden_state
        rows = torch.arange(len(ids), device=states.device)
        return Read(states[rows, to_device(last, self._place)], positions, last)

    def seen(self, images: Sequence[Patches]) -> tuple[torch.Tensor, Any]:
        """How many patches each image has, (n, 3), on the host; and the images' tokens."""
        grids = torch.tensor([[1, p.rows, p.columns] for p in images])
        pixels = np.concatenate([p.pixels for p in images])
        x = (to_device(pixels, self._place).float() / 255 - self._mean) / self._std
        # An image is a film of two equal frames.
        x = x.unsqueeze(2).expand(-1, -1, self._frames, -1, -1).flatten(1)
        visual = self._model.visual
        indices, weights = get_vision_interpolation_indices_and_weights(
            grids,
            num_grid_per_side=visual.num_grid_per_side,
            mode=visual.interpolation_mode,
            align_corners=visual.interpolation_align_corners,
            spatial_merge_size=self.merge,
        )

        def there(worked_out: torch.Tensor) -> torch.Tensor:
            return to_device(worked_out.numpy(), self._place)

        return grids, self._model.get_image_features(
            x.to(self._place.torch_dtype),
            grids,
            return_dict=True,
            interp_indices=there(indices),
            interp_weights=there(weights),
            position_ids=there(get_vision_position_ids(grids, self.merge)),
            cu_seqlens=get_vision_cu_seqlens(grids),  # read on the host, once a layer
        )

    def rows(
        self, images: Sequence[Patches], before: Sequence[int], after: Sequence[Sequence[int]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens (n, length), positions (3, n, length) and the place of each row's last token.

        Rows are padded at their ends. Positions are of time, height and width. Text counts up all
        three; an image's tokens have the time it starts at, and text after it goes on behind its
        longer side.

        Args:
            before: the tokens before every image.
            after: the tokens after each.
        """
        start = len(before)
        tokens = [p.rows * p.columns // self.merge**2 for p in images]
        lengths = np.array([start + n + len(end) for n, end in zip(tokens, after, strict=True)])
        ids = np.zeros((len(images), lengths.max()), np.int64)
        positions = np.zeros((3, *ids.shape), np.int64)
        ids[:, :start] = before
        positions[:, :, :start] = np.arange(start)
        for row, (image, count, end) in enumerate(zip(images, tokens, after, strict=True)):
            high, wide = image.rows // self.merge, image.columns // self.merge
            stop = start + count
            ids[row, start:stop] = self._model.config.image_token_id
            ids[row, stop : lengths[row]] = end
            positions[0, row, start:stop] = start
            positions[1, row, start:stop] = start + np.repeat(np.arange(high), wide)
            positions[2, row, start:stop] = start + np.tile(np.arange(wide), high)
            positions[:, row, stop : lengths[row]] = start + max(high, wide) + np.arange(len(end))
        return ids, positions, lengths - 1


def _scale(folder: Path) -> tuple[float, float]:
    """Mean and standard deviation that pixels from 0 to 1 are scaled by."""
    path = folder / "preprocessor_config.json"
    try:
        settings = json.loads(path.read_text("utf-8"))
        (mean,), (std,) = set(settings["image_mean"]), set(settings["image_std"])
        return float(mean), float(std)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path} does not give one mean and one deviation for all colours: {error}. "
            "Fetch it anew."
        ) from error
