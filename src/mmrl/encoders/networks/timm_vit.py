"""Network of timm on a device, and its preparation of images, from a published folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmrl.encoders.device.device import Place
from mmrl.encoders.device.images import to_device
from mmrl.encoders.networks.torchvision import ensure_torchvision
from mmrl.errors import WeightsError
from mmrl.images.decode import middle, open_rgb

ensure_torchvision()

import timm  # noqa: E402
from timm.data import create_transform, resolve_data_config  # noqa: E402


class TimmNetwork:
    """The network in evaluation mode.

    Args:
        weights: `model.safetensors` or `pytorch_model.bin`, with its `config.json` beside it.

    Raises:
        WeightsError: a file is broken, or the weights are not those of the named architecture.
    """

    def __init__(self, weights: Path, place: Place) -> None:
        self._place = place
        described = _described(weights.parent / "config.json")
        # In files of before 2023 the data configuration is not a part of its own.
        data = described.get("pretrained_cfg", described)
        architecture = str(described.get("architecture"))
        classes = described.get("num_classes", data.get("num_classes"))
        try:
            network = timm.create_model(
                architecture,
                pretrained=False,
                num_classes=classes,
                **described.get("model_args", {}),
            )
            network.load_state_dict(_read(weights), strict=True)
        except (RuntimeError, TypeError, ValueError) as error:
            why = " ".join(str(error).split())[:400]
            raise WeightsError(
                f"{weights} does not hold the weights of timm's {architecture}: {why}. "
                "Fetch it anew with `mmrl weights fetch`."
            ) from error
        network = network.eval().requires_grad_(False)
        # timm's classes have these two methods, but no common base that says so.
        self._network: Any = network.to(place.torch_device, place.torch_dtype)
        settings = resolve_data_config(pretrained_cfg=data)
        # With a prefetcher in mind timm leaves pixels as they are: they are scaled on the device.
        self._transform = create_transform(**settings, is_training=False, use_prefetcher=True)
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(settings["mean"], device=place.torch_device).view(shape)
        self._std = torch.tensor(settings["std"], device=place.torch_device).view(shape)

    def prepare(self, data: bytes) -> np.ndarray:
        """A file as pixels of shape (3, side, side), uint8, as timm prepares it.

        Unlike timm, an image is turned upright and transparency laid on white first.

        Raises:
            UnreadableError: see `open_rgb`.
        """
        return np.asarray(self._transform(middle(open_rgb(data))))

    def vectors(self, pixels: np.ndarray) -> torch.Tensor:
        """Pooled features, float32, of pixels of shape (n, 3, side, side), uint8."""
        x = self._network.forward_features(self.scaled(pixels).to(self._place.torch_dtype))
        features: torch.Tensor = self._network.forward_head(x, pre_logits=True)
        return features.float()

    def scaled(self, pixels: np.ndarray) -> torch.Tensor:
        """Pixels as the network takes them, float32, of the same shape, on the device."""
        return (to_device(pixels, self._place).float() / 255 - self._mean) / self._std


def _described(path: Path) -> dict[str, Any]:
    try:
        described = json.loads(path.read_text("utf-8"))
        return dict(described)
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{path} can't be read: {error}. Fetch it anew.") from error


def _read(weights: Path) -> dict[str, torch.Tensor]:
    try:
        if weights.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(weights)
        state: dict[str, torch.Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
        return state
    except Exception as error:  # both libraries raise many kinds for a broken file
        raise WeightsError(
            f"{weights} can't be read as weights ({type(error).__name__}: {str(error)[:200]}). "
            "Fetch it anew with `mmrl weights fetch`."
        ) from error
