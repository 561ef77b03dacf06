"""bge-m3's network on a device, from transformers.

transformers would ask the device in every batch whether anything is padded, and wait for the
answer. Here mask and positions are worked out on the host and handed over.
"""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from mmrl.encoders.device.device import Place
from mmrl.encoders.device.images import to_device
from mmrl.encoders.networks.load import load_pretrained

_PAD = 1  # XLM-R's <pad>, and the position of every <pad>


class BgeM3Network:
    """XLM-R in evaluation mode, without the pooler that bge-m3 does not use."""

    def __init__(self, folder: Path, place: Place) -> None:
        """Loads it.

        Raises:
            WeightsError: a file is broken, or the weights are not XLM-R's.
        """
        from transformers import XLMRobertaModel

        self._model = load_pretrained(
            XLMRobertaModel,
            folder,
            place,
            "BAAI/bge-m3",
            unused=("pooler.", "embeddings.position_ids"),
            add_pooling_layer=False,
        )
        self._place = place

    def vectors(self, ids: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
        """See `TextNetwork`."""
        longest = ids.shape[1]
        there = np.arange(longest) < lengths[:, None]
        # As XLM-R counts: a <pad> has one position and is not counted, be it padding, which
        # nothing attends to, or the word "<pad>" in a text.
        counted = ids != _PAD
        positions = np.where(counted, _PAD + counted.cumsum(axis=1), _PAD)
        x = self._model.embeddings(
            input_ids=to_device(ids, self._place),
            position_ids=to_device(positions, self._place),
        )
        # Without a mask the device's fastest attention can be taken.
        mask = None if there.all() else to_device(there, self._place)[:, None, None, :]
        out = self._model.encoder(x, attention_mask=mask).last_hidden_state[:, 0]
        return F.normalize(out.float(), dim=-1)
