"""Kosmos-2: a picture to a text, and to where in the picture the text's phrases were seen.

The prompt asks for a grounded description (Peng et al. 2023, arXiv:2306.14824); the text is written
greedily, as the model's card does.
"""

from collections.abc import Sequence

import numpy as np

from mmrl.encoders.caption import Captions, caption_pictures
from mmrl.encoders.caption_text import judge, prompt_mark
from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.threads import ModelLock
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.hub.encoder import FromHub
from mmrl.encoders.protocols import Caption, Uncaptioned

NAME = "kosmos-2-patch14-224"
PROMPT = "<grounding> Describe this image in detail:"
MAX_NEW_TOKENS = 128


class Kosmos2(FromHub["_Loaded"]):
    """A Captioner.

    Args:
        model: in the published layout.
        max_new_tokens: of a text and its marks; it is cut there.
    """

    name = NAME

    def __init__(self, model: Checkpoint, max_new_tokens: int = MAX_NEW_TOKENS) -> None:
        super().__init__(model)
        self._most = max_new_tokens

    @property
    def rules(self) -> str:
        """`upright,` the prompt's hash, and the most tokens."""
        return f"upright,{prompt_mark(PROMPT)},{self._most}tok"

    def caption(self, images: Sequence[bytes]) -> list[Caption | Uncaptioned]:
        """One result a picture, in the order given; the phrases' places are in the caption's text.

        Raises:
            UnreadableImagesError: at least one picture does not decode.
            WeightsError: the weights are missing or not the published ones.
        """
        if not len(images):
            return []
        net = self._network()

        def forward(pixels: Sequence[np.ndarray]) -> Captions:
            return net.captions(np.stack(pixels), self._most)

        return caption_pictures(images, net.prepare, net.batches, forward)

    def _load(self) -> "_Loaded":
        return _Loaded(self._model)


class _Loaded:
    """Network and tokenizer in memory, and how much they take at once."""

    def __init__(self, model: Checkpoint) -> None:
        from mmrl.encoders.networks.kosmos2 import KosmosNetwork
        from mmrl.encoders.networks.kosmos2_grounding import Grounding

        folder = model.folder()
        self._grounding = Grounding(folder, model.name)
        self._network = KosmosNetwork(folder, model.place, model.name)
        self._prompt = self._network.prompt(self._grounding.tokenizer, PROMPT)
        self._lock = ModelLock()
        self.prepare = self._network.prepare
        # A step of decoding reads all weights, whatever the batch: the more pictures, the less
        # each costs. At 128 their cache takes 6 GB in bfloat16.
        self.batches = BatchSize(NAME, 128 if model.place.on_gpu else 4, "pictures")

    def captions(self, pixels: np.ndarray, most: int) -> Captions:
        """Captions of pixels of shape (n, side, side, 3), uint8."""
        with self._lock:
            written = self._network.write(pixels, self._prompt, most)
        found = []
        for tokens in written:
            text, phrases = self._grounding.read(tokens)
            found.append(judge(text, PROMPT.removeprefix("<grounding>"), phrases))
        return found
