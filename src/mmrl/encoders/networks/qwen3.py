"""Qwen3-Embedding's network on a device, from transformers.

Rows are padded at their ends, where a causal model's other tokens never look, so that no mask is
needed; its authors pad at the beginning, with the same vectors.
"""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from mmrl.encoders.device.device import Place
from mmrl.encoders.device.images import to_device
from mmrl.encoders.networks.load import load_pretrained


class QwenTextNetwork:
    """Qwen3 without its head, in evaluation mode."""

    def __init__(self, folder: Path, place: Place) -> None:
        """Loads it.

        Raises:
            WeightsError: a file is broken, or the weights are not Qwen3's.
        """
        from transformers import Qwen3Model

        self._model = load_pretrained(
            Qwen3Model, folder, place, "Qwen/Qwen3-Embedding-0.6B", use_safetensors=True
        )
        self._place = place

    def vectors(self, ids: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
        """See `TextNetwork`."""
        out = self._model(
            input_ids=to_device(ids, self._place),
            # Causal and without a mask. Left to itself, transformers would look on the device
            # whether several texts share a row, and wait for the answer.
            attention_mask={"full_attention": None},
            position_ids=to_device(np.arange(ids.shape[1])[None], self._place),
            use_cache=False,
        ).last_hidden_state
        rows = torch.arange(len(ids), device=out.device)
        return F.normalize(out[rows, to_device(lengths - 1, self._place)].float(), dim=-1)
