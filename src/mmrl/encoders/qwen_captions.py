"""Qwen3-VL-Instruct: a picture in one or two sentences.

Asked as its authors ask it (arXiv:2511.21631): picture and request as the user's turn of its own
template; but answered greedily, where they draw words at random: the same picture always gets the
same caption. The network is in `qwen_captions_network`.
"""

from collections.abc import Sequence

from mmrl.encoders.caption import Captions, caption_pictures
from mmrl.encoders.caption_text import judge, prompt_mark
from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.threads import ModelLock
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.hub.encoder import FromHub
from mmrl.encoders.networks.patches import Grid, Patches
from mmrl.encoders.protocols import Caption, Uncaptioned
from mmrl.errors import ConfigError

NAME = "qwen3-vl-2b-instruct"
PROMPT = "Describe this image in one or two plain sentences."
MAX_NEW_TOKENS = 96  # two long sentences of English take about 60
# A picture costs a token for every 32 x 32 pixels. Its authors allow 16,384 tokens, for pages of
# small print; with 512 (about 720 x 720 pixels) the words in a meme can still be read.
PICTURE_TOKENS = 512
LEAST_TOKENS = 64  # its authors'


class QwenCaptions(FromHub["_Loaded"]):
    """A Captioner.

    Args:
        model: in the published layout.
        max_new_tokens: of a text; it is cut there.
        prompt: what is asked of each picture.
        picture_tokens: of a picture at most, 64 or more; a larger picture is made smaller.
    """

    name = NAME
    stored = 2  # bfloat16

    def __init__(
        self,
        model: Checkpoint,
        max_new_tokens: int = MAX_NEW_TOKENS,
        prompt: str = PROMPT,
        picture_tokens: int = PICTURE_TOKENS,
    ) -> None:
        if not prompt.strip() or max_new_tokens < 1 or picture_tokens < LEAST_TOKENS:
            raise ConfigError(
                f"A captioner was given the prompt {prompt!r}, {max_new_tokens} new tokens and "
                f"{picture_tokens} tokens a picture: give a prompt, 1 or more, and {LEAST_TOKENS} "
                "or more."
            )
        super().__init__(model)
        self._most = max_new_tokens
        self._prompt = prompt
        self._picture_tokens = picture_tokens

    @property
    def rules(self) -> str:
        """`upright,` the picture's most tokens, the prompt's hash and the text's most tokens."""
        return f"upright,{self._picture_tokens}img,{prompt_mark(self._prompt)},{self._most}tok"

    def caption(self, images: Sequence[bytes]) -> list[Caption | Uncaptioned]:
        """One result a picture, in the order given.

        Raises:
            UnreadableImagesError: at least one picture does not decode, or is extremely long.
            WeightsError: the weights are missing or not the published ones.
        """
        if not len(images):
            return []
        net = self._network()
        grid = Grid(net.side, net.merge, LEAST_TOKENS, self._picture_tokens)

        def forward(pictures: Sequence[Patches]) -> Captions:
            said = net.say(pictures, self._prompt, self._most)
            return [judge(text, self._prompt) for text in said]

        return caption_pictures(images, grid.patches, net.batches, forward)

    def _load(self) -> "_Loaded":
        return _Loaded(self._model)


class _Loaded:
    """The network in memory, and how much it takes at once."""

    def __init__(self, model: Checkpoint) -> None:
        from mmrl.encoders.networks.qwen3_vl_captions import QwenCaptionsNetwork

        self._network = QwenCaptionsNetwork(model.folder(), model.place, model.name)
        self._lock = ModelLock()
        self.side, self.merge = self._network.side, self._network.merge
        # A step of decoding reads all weights, whatever the batch: the more pictures, the less
        # each costs. At 64 of 512 tokens their cache takes 5 GB in bfloat16.
        self.batches = BatchSize(NAME, 64 if model.place.on_gpu else 2, "pictures")

    def say(self, pictures: Sequence[Patches], prompt: str, most: int) -> list[str]:
        """See `QwenCaptionsNetwork.say`."""
        with self._lock:
            return self._network.say(pictures, prompt, most)
