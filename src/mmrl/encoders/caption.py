"""Captioners of the hub: networks that put images into words."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from mmrl.encoders.caption_text import judge, prompt_mark
from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.threads import ModelLock
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.hub.encoder import FromHub
from mmrl.encoders.networks.patches import Grid, Patches
from mmrl.encoders.protocols import Caption, Uncaptioned, UnreadableImagesError
from mmrl.errors import ConfigError
from mmrl.images.decode import decode_ahead
from mmrl.images.image import UnreadableError

Prepared = TypeVar("Prepared")
Captions = list[Caption | Uncaptioned]


class CaptionNetwork(Protocol):
    """Network and tokenizer in memory.

    Attributes:
        batches: how many images the network takes at once.
    """

    batches: BatchSize


Loaded = TypeVar("Loaded", bound=CaptionNetwork)


class HubCaptions(FromHub[Loaded]):
    """A Captioner with weights of the hub."""

    @abstractmethod
    def prepare(self, net: Loaded) -> Callable[[bytes], Any]:
        """What turns a file into what the network takes; it raises UnreadableError."""

    @abstractmethod
    def write(self, net: Loaded, images: Sequence[Any]) -> Captions:
        """One result for each prepared image."""

    def caption(self, images: Sequence[bytes]) -> Captions:
        """One result an image, in the order given.

        Raises:
            UnreadableImagesError: at least one image does not decode; has the others' captions.
            WeightsError: the weights are missing or not the published ones.
        """
        if not len(images):
            return []
        net = self._network()

        def forward(prepared: Sequence[Any]) -> Captions:
            return self.write(net, prepared)

        return caption_images(images, self.prepare(net), net.batches, forward)


class Kosmos2(HubCaptions["_LoadedKosmos"]):
    """Kosmos-2: an image to a text, and to where in the image the text's phrases were seen.

    The prompt asks for a grounded description (Peng et al. 2023, arXiv:2306.14824); the text is
    written greedily, as the model's card does.

    Args:
        model: in the published layout.
        max_new_tokens: of a text and its marks; it is cut there.
    """

    name = "kosmos-2-patch14-224"
    prompt = "<grounding> Describe this image in detail:"

    def __init__(self, model: Checkpoint, max_new_tokens: int = 128) -> None:
        super().__init__(model)
        self._most = max_new_tokens

    @property
    def rules(self) -> str:
        """`upright,` the prompt's hash, and the most tokens."""
        return f"upright,{prompt_mark(self.prompt)},{self._most}tok"

    def prepare(self, net: "_LoadedKosmos") -> Callable[[bytes], np.ndarray]:
        """See `HubCaptions.prepare`."""
        return net.prepare

    def write(self, net: "_LoadedKosmos", images: Sequence[np.ndarray]) -> Captions:
        """See `HubCaptions.write`; the phrases' places are in the caption's text."""
        return net.captions(np.stack(images), self._most)

    def _load(self) -> "_LoadedKosmos":
        return _LoadedKosmos(self._model)


class _LoadedKosmos:
    """Network and tokenizer in memory, and how much they take at once."""

    def __init__(self, model: Checkpoint) -> None:
        from mmrl.encoders.networks.kosmos2 import KosmosNetwork
        from mmrl.encoders.networks.kosmos2_grounding import Grounding

        folder = model.folder()
        self._grounding = Grounding(folder, model.name)
        self._network = KosmosNetwork(folder, model.place, model.name)
        self._prompt = self._network.prompt(self._grounding.tokenizer, Kosmos2.prompt)
        self._lock = ModelLock()
        self.prepare = self._network.prepare
        # A step of decoding reads all weights, whatever the batch: the more images, the less
        # each costs. At 128 their cache takes 6 GB in bfloat16.
        self.batches = BatchSize(Kosmos2.name, 128 if model.place.on_gpu else 4, "images")

    def captions(self, pixels: np.ndarray, most: int) -> Captions:
        """Captions of pixels of shape (n, side, side, 3), uint8."""
        with self._lock:
            written = self._network.write(pixels, self._prompt, most)
        captions = []
        for tokens in written:
            text, phrases = self._grounding.read(tokens)
            captions.append(judge(text, Kosmos2.prompt.removeprefix("<grounding>"), phrases))
        return captions


class QwenCaptions(HubCaptions["_LoadedQwen"]):
    """Qwen3-VL-Instruct: an image in one or two sentences.

    Asked as its authors ask it (arXiv:2511.21631): image and request as the user's turn of its own
    template; but answered greedily, where they draw words at random: the same image always gets
    the same caption.

    Args:
        model: in the published layout.
        max_new_tokens: of a text; it is cut there. Two long sentences of English take about 60.
        prompt: what is asked of each image.
        picture_tokens: of an image at most, 64 or more; a larger image is made smaller. An image
            costs a token for every 32 x 32 pixels. Its authors allow 16,384 tokens, for pages of
            small print; with 512 (about 720 x 720 pixels) the words in a meme can still be read.
    """

    name = "qwen3-vl-2b-instruct"
    stored = 2  # bfloat16
    prompt = "Describe this image in one or two plain sentences."
    image_tokens = 512
    least_tokens = 64  # its authors'

    def __init__(
        self,
        model: Checkpoint,
        max_new_tokens: int = 96,
        prompt: str = prompt,
        picture_tokens: int = image_tokens,
    ) -> None:
        if not prompt.strip() or max_new_tokens < 1 or picture_tokens < self.least_tokens:
            raise ConfigError(
                f"A captioner was given the prompt {prompt!r}, {max_new_tokens} new tokens and "
                f"{picture_tokens} tokens an image: give a prompt, 1 or more, and "
                f"{self.least_tokens} or more."
            )
        super().__init__(model)
        self._most = max_new_tokens
        self.prompt = prompt
        self.image_tokens = picture_tokens

    @property
    def rules(self) -> str:
        """`upright,` the image's most tokens, the prompt's hash and the text's most tokens."""
        return f"upright,{self.image_tokens}img,{prompt_mark(self.prompt)},{self._most}tok"

    def prepare(self, net: "_LoadedQwen") -> Callable[[bytes], Patches]:
        """See `HubCaptions.prepare`; an extremely long image counts as one that can't be read."""
        return Grid(net.side, net.merge, self.least_tokens, self.image_tokens).patches

    def write(self, net: "_LoadedQwen", images: Sequence[Patches]) -> Captions:
        """See `HubCaptions.write`."""
        texts = net.write(images, self.prompt, self._most)
        return [judge(text, self.prompt) for text in texts]

    def _load(self) -> "_LoadedQwen":
        return _LoadedQwen(self._model)


class _LoadedQwen:
    """The network in memory, and how much it takes at once."""

    def __init__(self, model: Checkpoint) -> None:
        from mmrl.encoders.networks.qwen3_vl_captions import QwenCaptionsNetwork

        self._network = QwenCaptionsNetwork(model.folder(), model.place, model.name)
        self._lock = ModelLock()
        self.side, self.merge = self._network.side, self._network.merge
        # As with Kosmos-2; at 64 of 512 tokens the cache takes 5 GB in bfloat16.
        self.batches = BatchSize(QwenCaptions.name, 64 if model.place.on_gpu else 2, "images")

    def write(self, images: Sequence[Patches], prompt: str, most: int) -> list[str]:
        """See `QwenCaptionsNetwork.write`."""
        with self._lock:
            return self._network.write(images, prompt, most)


def caption_images(
    images: Sequence[bytes],
    prepare: Callable[[bytes], Prepared],
    batches: BatchSize,
    forward: Callable[[Sequence[Prepared]], Captions],
) -> Captions:
    """Decodes images ahead of a model and captions them in batches, in their order.

    Args:
        prepare: a file to what the model takes; raises UnreadableError.
        batches: counted in images.

    Raises:
        UnreadableImagesError: at least one image does not decode; has the others' captions.
    """
    captions: Captions = []
    errors: dict[int, UnreadableError] = {}
    for batch in decode_ahead(images, prepare, batches.size, errors):
        prepared = [image for _, image in batch]
        for _, part in batches.run_items(prepared, forward):
            captions += part
    if errors:
        raise UnreadableImagesError(errors, captions)
    return captions
