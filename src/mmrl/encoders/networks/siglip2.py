"""SigLIP 2's image tower on a device, from transformers, and its preparation of images."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from mmrl.encoders.device.device import Place
from mmrl.encoders.device.images import to_device
from mmrl.encoders.networks.load import load_pretrained
from mmrl.errors import WeightsError
from mmrl.images.decode import open_rgb

NAME = "google/siglip2-so400m-patch14-384"


class SiglipNetwork:
    """The tower in evaluation mode."""

    def __init__(self, folder: Path, place: Place) -> None:
        """Loads it.

        Raises:
            WeightsError: a file is broken, or the weights are not SigLIP's.
        """
        from transformers import SiglipVisionModel

        self._model = load_pretrained(
            SiglipVisionModel,
            folder,
            place,
            NAME,
            unused=("text_model.", "logit_"),
            use_safetensors=True,
        )
        self._place = place
        path = folder / "preprocessor_config.json"
        try:
            settings = json.loads(path.read_text("utf-8"))
            size = settings["size"]
            self._size = int(size["width"]), int(size["height"])
            self._resample = Image.Resampling(settings["resample"])
            mean, std = settings["image_mean"], settings["image_std"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{path} does not say how to prepare images ({error}): run `mmrl weights fetch "
                f"{NAME}`."
            ) from error
        self._mean = torch.tensor(mean, device=place.torch_device)
        self._std = torch.tensor(std, device=place.torch_device)

    def prepare(self, data: bytes) -> np.ndarray:
        """A file as pixels of shape (side, side, 3), uint8.

        Raises:
            UnreadableError: see `open_rgb`.
        """
        return np.asarray(open_rgb(data).resize(self._size, self._resample))

    def vectors(self, pixels: np.ndarray) -> torch.Tensor:
        """Vectors of length 1, float32, of pixels of shape (n, side, side, 3), uint8."""
        scaled = (to_device(pixels, self._place).float() / 255 - self._mean) / self._std
        scaled = scaled.permute(0, 3, 1, 2).to(self._place.torch_dtype)
        return F.normalize(self._model(pixel_values=scaled).pooler_output.float(), dim=-1)
