"""EfficientNet-Lite2: images to 1,280 features and 1,000 ImageNet probabilities, in one pass.

Architecture and weights come from packages; the image is prepared as the authors of the weights
do (tensorflow/tpu, models/official/efficientnet: `preprocessing.py`, `lite/`): the centre
260/(260+32) of the shorter side, bicubic to 260 px, then (x - 127) / 128.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from mmrl.catalog.keys import image_content
from mmrl.encoders.device.threads import ModelLock, apply_threads
from mmrl.encoders.packaged.memo import Memo
from mmrl.encoders.packaged.weights import EFFICIENTNET_LITE2
from mmrl.encoders.protocols import UnreadableImagesError
from mmrl.images.decode import Crop, decode_ahead
from mmrl.images.image import UnreadableError
from mmrl.runtime.malloc import keep_what_is_freed

if TYPE_CHECKING:
    import torch

DIM = 1280
CLASSES = 1000
CROP = Crop(side=260, share=260 / (260 + 32), enough=438)  # 438 = 1.5 x 292, see docs/models.md
# Small on purpose: the activations of 8 images stay near the cores, and more are no faster.
BATCH = 8
_REMEMBERED = 16_384  # images; 84 MB of features

# Everything the features depend on, as an id shows it.
REVISION = f"{EFFICIENTNET_LITE2.revision}+crop260of292,bicubic,dct{CROP.enough},x127d128"


class EfficientNetLite2:
    """An ImageEncoder: the pooled features before the classifier, not normalised."""

    dim = DIM
    id = f"efficientnet-lite2@{REVISION}"

    def check(self) -> None:
        """Raises WeightsError where the weights are missing or not the recorded ones."""
        EFFICIENTNET_LITE2.path()

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Features of shape (len(images), 1280), float32, from 0 up to about 6.

        Raises:
            UnreadableImagesError: at least one does not decode.
        """
        return backbone().features(images)


@cache
def backbone() -> "Backbone":
    """One network a process, shared by tags, features and label bridge."""
    return Backbone()


class Backbone:
    """The network, and a memo of the features of images it saw."""

    def __init__(self) -> None:
        apply_threads()
        keep_what_is_freed()
        self._lock = ModelLock()
        self._network, self._head = _load()
        self.memo = Memo(_REMEMBERED)

    def features(self, images: Sequence[bytes]) -> np.ndarray:
        """Pooled features of shape (n, 1280), float32.

        Raises:
            UnreadableImagesError: at least one does not decode; the others are in the memo by then.
        """
        names = [image_content(data) for data in images]
        features = self.memo.find(names)
        new = {n: data for n, data in zip(names, images, strict=True) if n not in features}
        order = list(new)
        errors: dict[int, UnreadableError] = {}
        for batch in decode_ahead(list(new.values()), CROP.apply, BATCH, errors):
            if batch:
                rows = self.forward(np.stack([pixels for _, pixels in batch]))
                for (place, _), row in zip(batch, rows, strict=True):
                    features[order[place]] = row
                    self.memo.keep(order[place], row)
        if errors:
            broken = {order[place]: error for place, error in errors.items()}
            raise UnreadableImagesError({i: broken[n] for i, n in enumerate(names) if n in broken})
        return np.stack([features[name] for name in names]) if names else np.empty((0, DIM), "f4")

    def probabilities(self, images: Sequence[bytes]) -> np.ndarray:
        """ImageNet probabilities of shape (n, 1000), float32, each row summing to 1.

        Raises:
            UnreadableImagesError: at least one does not decode.
        """
        features = self.features(images)
        weight, bias = self._head
        logits = features @ weight.T + bias
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def forward(self, pixels: np.ndarray) -> np.ndarray:
        """Features of shape (n, 1280) of pixels (n, 260, 260, 3), uint8."""
        import torch

        with self._lock, torch.inference_mode():
            # As a view, (n, height, width, 3) already lies in memory as channels_last wants it.
            channels = torch.from_numpy(pixels).permute(0, 3, 1, 2)
            return np.asarray(self._network((channels.float() - 127.0) / 128.0))


def _load() -> tuple["torch.nn.Module", tuple[np.ndarray, np.ndarray]]:
    """The network up to the pooled features, and weight and bias of the linear head."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    from mmrl.encoders.packaged.folding import fold

    published = EfficientNet.from_name("efficientnet-lite2")
    published.load_state_dict(
        torch.load(EFFICIENTNET_LITE2.path(), map_location="cpu", weights_only=True)
    )
    head = published._fc.weight.detach().numpy(), published._fc.bias.detach().numpy()
    return fold(published.eval()), head
