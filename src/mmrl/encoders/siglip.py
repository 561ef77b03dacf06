"""SigLIP 2's image tower: pictures to vectors of length 1.

As transformers' `get_image_features` gives them (Tschannen et al. 2025, arXiv:2502.14786): the
whole picture squeezed into a square, bilinear, then the tower's attention pooling. The text tower
of the same file is not loaded.
"""

from typing import TYPE_CHECKING

from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.image import HubImages

if TYPE_CHECKING:
    from mmrl.encoders.networks.siglip2 import SiglipNetwork


class SiglipImages(HubImages):
    """An ImageEncoder; see `HubImages`."""

    name = "siglip2-so400m-patch14-384"
    width = 1152
    rules = "upright,pooled,l2"
    width_at = ("vision_config", "hidden_size")
    share = 0.4

    def load(self, model: Checkpoint) -> "SiglipNetwork":
        """See `HubImages.load`."""
        from mmrl.encoders.networks.siglip2 import SiglipNetwork

        return SiglipNetwork(model.folder(), model.place)
