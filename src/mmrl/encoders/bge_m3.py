"""BAAI/bge-m3's dense vectors: the first token's output of XLM-R, scaled to length 1.

As FlagEmbedding's `BGEM3FlagModel` gives them as `dense_vecs` (Chen et al. 2024,
arXiv:2402.03216). The other two kinds of vectors that the model can give are not used.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mmrl.encoders.device.device import Place
from mmrl.encoders.text import HubText

if TYPE_CHECKING:
    from mmrl.encoders.networks.bge_m3 import BgeM3Network


class BgeM3(HubText):
    """A TextEncoder; see `HubText`."""

    name = "bge-m3"
    width = 1024
    pooling = "cls"
    pad = 1  # XLM-R's <pad>

    def load(self, folder: Path, place: Place) -> "BgeM3Network":
        """See `HubText.load`."""
        from mmrl.encoders.networks.bge_m3 import BgeM3Network

        return BgeM3Network(folder, place)
