"""EfficientNet-Lite2: pictures to 1,280 features and 1,000 ImageNet probabilities, in one pass.

Architecture and weights come from packages; the picture is prepared as the authors of the weights
do (tensorflow/tpu, models/official/efficientnet: `preprocessing.py`, `lite/`): the centre
260/(260+32) of the shorter side, bicubic to 260 px, then (x - 127) / 128.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrl.catalog.keys import image_content
from mmrl.encoders.device.threads import ModelLock, apply_threads
from mmrl.encoders.packaged.memo import Memo
from mmrl.encoders.packaged.weights import EFFICIENTNET_LITE2
from mmrl.encoders.protocols import UnreadableImagesError
from mmrl.images.decode import Crop, decode_ahead
from mmrl.images.picture import UnreadableError

if TYPE_CHECKING:
    import torch

DIM = 1280
CLASSES = 1000
CROP = Crop(side=260, share=260 / (260 + 32), enough=438)  # 438 = 1.5 x 292, see docs/models.md
# Small on purpose: the activations of 8 pictures stay near the cores; 32 ran at two thirds of it.
BATCH = 8
_REMEMBERED = 16_384  # pictures; 84 MB of features

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
    """The network, and a memo of the features of pictures it saw."""

    def __init__(self) -> None:
        apply_threads()
        self._lock = ModelLock()
        self._network, self._head = _load()
        self.memo = Memo(_REMEMBERED)

    def features(self, images: Sequence[bytes]) -> np.ndarray:
        """Pooled features of shape (n, 1280), float32.

        Raises:
            UnreadableImagesError: at least one does not decode; the others are in the memo by then.
        """
        names = [image_content(data) for data in images]
        found = self.memo.find(names)
        wanted = {n: data for n, data in zip(names, images, strict=True) if n not in found}
        order = list(wanted)
        errors: dict[int, UnreadableError] = {}
        for batch in decode_ahead(list(wanted.values()), CROP.apply, BATCH, errors):
            if batch:
                rows = self.forward(np.stack([pixels for _, pixels in batch]))
                for (place, _), row in zip(batch, rows, strict=True):
                    found[order[place]] = row
                    self.memo.keep(order[place], row)
        if errors:
            broken = {order[place]: error for place, error in errors.items()}
            raise UnreadableImagesError({i: broken[n] for i, n in enumerate(names) if n in broken})
        return np.stack([found[name] for name in names]) if names else np.empty((0, DIM), "f4")

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
            given = torch.from_numpy(pixels).permute(0, 3, 1, 2)
            return np.asarray(self._network((given.float() - 127.0) / 128.0))


def _load() -> tuple["torch.nn.Module", tuple[np.ndarray, np.ndarray]]:
    """The network up to the pooled features, and weight and bias of the linear head."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    published = EfficientNet.from_name("efficientnet-lite2")
    published.load_state_dict(
        torch.load(EFFICIENTNET_LITE2.path(), map_location="cpu", weights_only=True)
    )
    head = published._fc.weight.detach().numpy(), published._fc.bias.detach().numpy()
    return fold(published.eval()), head


def fold(published: Any) -> "torch.nn.Module":
    """The published network up to its pooled features, faster (see docs/models.md).

    Each batch normalisation goes into the convolution before it, symmetric padding into the
    convolution itself, activations work in place, and channels lie last in memory. Features stay
    within 2e-5 of the published network's, which reach 6; a test says so.
    """
    import torch
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_weights

    def convolution(conv: Any, norm: Any) -> list[nn.Module]:
        weight, bias = fuse_conv_bn_weights(
            conv.weight,
            conv.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        padding = getattr(conv.static_padding, "padding", (0, 0, 0, 0))
        even = len(set(padding)) == 1
        folded = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            padding[0] if even else 0,
            groups=conv.groups,
        )
        folded.weight, folded.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
        return [folded] if even else [nn.ZeroPad2d(padding), folded]

    def relu6() -> nn.Module:
        return nn.ReLU6(inplace=True)

    class Residual(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.inner(x)
            return result.add_(x)

    layers = [*convolution(published._conv_stem, published._bn0), relu6()]
    for block in published._blocks:
        inner: list[nn.Module] = []
        settings = block._block_args
        if settings.expand_ratio != 1:
            inner += [*convolution(block._expand_conv, block._bn0), relu6()]
        inner += [*convolution(block._depthwise_conv, block._bn1), relu6()]
        inner += convolution(block._project_conv, block._bn2)
        skips = (
            settings.id_skip
            and settings.stride == 1
            and settings.input_filters == settings.output_filters
        )
        layers.append(Residual(nn.Sequential(*inner)) if skips else nn.Sequential(*inner))
    layers += [*convolution(published._conv_head, published._bn1), relu6()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    folded = nn.Sequential(*layers).eval()
    return folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
