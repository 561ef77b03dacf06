"""Image encoders of timm: pooled features before the classifier.

As `forward_head(forward_features(x), pre_logits=True)` gives them, with the preparation that the
checkpoint's own data configuration says; not normalised, as timm does not.
"""

from typing import TYPE_CHECKING

from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.image import HubImages

if TYPE_CHECKING:
    from mmrl.encoders.networks.timm_vit import TimmNetwork


class TimmImages(HubImages):
    """An ImageEncoder; see `HubImages`."""

    name = "vit-large-patch16-384"
    width = 1024
    rules = "upright,prelogits"
    width_at = ("num_features",)

    def load(self, model: Checkpoint) -> "TimmNetwork":
        """See `HubImages.load`."""
        from mmrl.encoders.networks.timm_vit import TimmNetwork

        return TimmNetwork(model.weights(), model.place)
