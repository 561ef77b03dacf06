"""Qwen3-Embedding: texts to vectors, the output at the last token, scaled to length 1.

As its authors use it for documents: without an instruction, which is for queries of a search
(Zhang et al. 2025, arXiv:2506.05176). The tokenizer ends each text with the token that is read.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mmrl.encoders.device.device import Place
from mmrl.encoders.text import HubText

if TYPE_CHECKING:
    from mmrl.encoders.networks.qwen3 import QwenTextNetwork


class QwenText(HubText):
    """A TextEncoder; see `HubText`."""

    name = "qwen3-embedding-0.6b"
    width = 1024
    stored = 2  # bfloat16
    pooling = "last"
    pad = 0  # any token: rows are padded at their ends, where a causal model never looks

    def load(self, folder: Path, place: Place) -> "QwenTextNetwork":
        """See `HubText.load`."""
        from mmrl.encoders.networks.qwen3 import QwenTextNetwork

        return QwenTextNetwork(folder, place)
