"""Visual encoders of the hub: networks that turn an image and a text into one vector."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.images import Rows, encode_images, same_number, to_device
from mmrl.encoders.device.threads import ModelLock
from mmrl.encoders.device.tokens import by_length, load_tokenizer, padded, tokenize
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.hub.encoder import FromHub
from mmrl.encoders.networks.clip_image import SIDE, square
from mmrl.encoders.networks.patches import Grid, Patches

if TYPE_CHECKING:
    import torch

    from mmrl.encoders.networks.visualized_bge import VisualizedBgeNetwork

# Of the text. A Reddit title has at most 300 characters and a caption some hundred tokens: 512 cut
# neither, and keep one long text from costing its whole batch dear.
_MAX_TOKENS = 512
_BGE_PAD = 1  # XLM-R's <pad>


class VisualNetwork(Protocol):
    """Network and tokenizer in memory.

    Attributes:
        images: how many the network takes at once.
    """

    images: BatchSize

    def prepare(self, data: bytes) -> Any:
        """A file as the network takes it.

        Raises:
            UnreadableError: see `open_rgb`; or the network can't take such an image.
        """
        ...

    def tokenize(self, texts: Sequence[str]) -> tuple[list[list[int]], int]:
        """Each text's token ids, and how many texts were cut."""
        ...

    def together(self, images: Sequence[Any], tokens: Sequence[list[int]]) -> "torch.Tensor":
        """Vectors of images and texts, float32, each of length 1, left on the device."""
        ...


Loaded = TypeVar("Loaded", bound=VisualNetwork)


class HubVisual(FromHub[Loaded]):
    """A VisualEncoder.

    Attributes:
        truncated: how many texts were cut so far.
    """

    def __init__(self, model: Checkpoint, *beside: Checkpoint) -> None:
        super().__init__(model, *beside)
        self.truncated = 0

    @property
    @abstractmethod
    def dim(self) -> int:
        """How many dimensions its vectors have."""

    def encode(self, images: Sequence[bytes], texts: Sequence[str]) -> np.ndarray:
        """Vectors of shape (len(images), dim), float32, each of length 1.

        Args:
            images: encoded files.
            texts: as many; an empty text leaves the image alone to speak.

        Raises:
            InputError: there are not as many texts as images.
            UnreadableImagesError: at least one image does not decode.
            WeightsError: the weights are missing or not the published ones.
        """
        same_number(images, texts)
        if not len(images):
            return np.empty((0, self.dim), np.float32)
        net = self._network()
        tokens = self._tokens(net, texts)

        def forward(chosen: Sequence[tuple[int, Any]]) -> "torch.Tensor":
            return net.together([p for _, p in chosen], [tokens[i] for i, _ in chosen])

        return encode_images(images, by_length(tokens), net.prepare, net.images, forward)

    def _tokens(self, net: Loaded, texts: Sequence[str]) -> list[list[int]]:
        tokens, cut = net.tokenize(texts)
        self.truncated += cut
        return tokens


class QwenVisual(HubVisual["_LoadedQwen"]):
    """Qwen3-VL-Embedding: an image and a text to one vector of length 1.

    The prompt is that of its authors (QwenLM/Qwen3-VL-Embedding, src/models/qwen3_vl_embedding.py):
    an instruction as the system's turn, image and text as the user's; the vector is the output at
    the last token, scaled to length 1 (arXiv:2601.04720). Texts are cut at 512 tokens.
    """

    name = "qwen3-vl-embedding-2b"
    stored = 2  # bfloat16
    instruction = "Represent the user's input."  # its authors' default
    # An image costs a token for every 32 x 32 pixels. Its authors allow 1,800 tokens, for pages of
    # small print; at 256 (512 x 512 pixels) an item costs a fifth of that.
    image_tokens = 256
    least_tokens = 4  # its authors'
    rules = f"upright,{image_tokens}img,{_MAX_TOKENS}tok,last,l2"

    @property
    def dim(self) -> int:
        """2,048, but for a local folder that says otherwise."""
        return self._model.width(2048, "text_config", "hidden_size")

    def _load(self) -> "_LoadedQwen":
        return _LoadedQwen(self._model)


class _LoadedQwen:
    """Network and tokenizer in memory, and how much they take at once."""

    def __init__(self, model: Checkpoint) -> None:
        from mmrl.encoders.networks.qwen3_vl_embedding import QwenVisualNetwork, load_prompt

        folder = model.folder()
        self._network = QwenVisualNetwork(folder, model.place, model.name)
        self._prompt = load_prompt(folder, QwenVisual.instruction, model.name)
        self._tokenizer = self._prompt.tokenizer
        # A title may spell out a marker such as <|im_end|>; it is text there, and nothing else.
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._lock = ModelLock()
        net, tokens = self._network, (QwenVisual.least_tokens, QwenVisual.image_tokens)
        self.prepare = Grid(net.side, net.merge, *tokens).patches
        self.images = BatchSize(QwenVisual.name, 32 if model.place.on_gpu else 2, "images")

    def tokenize(self, texts: Sequence[str]) -> tuple[list[list[int]], int]:
        """Each text's token ids, without the prompt's, and how many texts were cut."""
        return tokenize(self._tokenizer, texts, markers=False)

    def together(self, images: Sequence[Patches], tokens: Sequence[list[int]]) -> "torch.Tensor":
        """See `VisualNetwork`."""
        with self._lock:
            prompt = self._prompt
            endings = [prompt.between + text + prompt.after for text in tokens]
            return self._network.vectors(images, prompt.before, endings)


class VisualizedBge(HubVisual["_LoadedBge"]):
    """Visualized BGE m3: an image and a text, or either alone, to one vector of length 1.

    The published `encode` takes one item at a time; here items go through the network in batches,
    padded and sorted by the length of their texts, which are cut at 512 tokens.
    """

    name = "visualized-bge-m3"
    stored = 2  # float16
    rules = f"upright,{SIDE}crop,{_MAX_TOKENS}tok,cls,l2"

    def __init__(self, model: Checkpoint, text_model: Checkpoint) -> None:
        """Takes all weights from `model`; tokenizer and sizes from `text_model`, bge-m3."""
        super().__init__(model, text_model)
        self._text_model = text_model

    @property
    def dim(self) -> int:
        """1,024, but for a local bge-m3 that says otherwise."""
        return self._text_model.width(1024, "hidden_size")

    def encode_images(self, images: Sequence[bytes]) -> np.ndarray:
        """Vectors of images alone; else as `encode`."""
        return self.encode(images, [""] * len(images))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts alone, of shape (len(texts), dim), float32, each of length 1."""
        if not len(texts):
            return np.empty((0, self.dim), np.float32)
        net = self._network()
        tokens = self._tokens(net, texts)
        order = by_length(tokens)
        results = Rows()

        def forward(chosen: Sequence[int]) -> "torch.Tensor":
            return net.texts_alone([tokens[order[i]] for i in chosen])

        for batch in net.texts.split([len(tokens[i]) for i in order]):
            for part, rows in net.texts.run(batch, forward):
                results.add([order[i] for i in part], rows)
        return results.stacked()

    def _load(self) -> "_LoadedBge":
        return _LoadedBge(self._model, self._text_model)


class _LoadedBge:
    """Network and tokenizer in memory, and how much they take at once."""

    def __init__(self, model: Checkpoint, text_model: Checkpoint) -> None:
        from mmrl.encoders.networks.visualized_bge import load

        folder = text_model.folder()
        self._place = model.place
        network = load(model.weights(), folder)
        # An image and a text of this many tokens have positions.
        self._max_tokens = min(_MAX_TOKENS, network.positions - network.patches)
        self._network: VisualizedBgeNetwork = network.to(
            self._place.torch_device, self._place.torch_dtype
        )
        self._tokenizer = load_tokenizer(folder, text_model.name)
        self._tokenizer.enable_truncation(self._max_tokens)
        self._lock = ModelLock()
        on_gpu = self._place.on_gpu
        self.images = BatchSize(VisualizedBge.name, 64 if on_gpu else 4, "images")
        self.texts = BatchSize(VisualizedBge.name, 16_384 if on_gpu else 2_048, "tokens")

    def tokenize(self, texts: Sequence[str]) -> tuple[list[list[int]], int]:
        """Each text's token ids, and how many texts were longer than allowed."""
        return tokenize(self._tokenizer, texts)

    def prepare(self, data: bytes) -> np.ndarray:
        """See `square`."""
        return square(data)

    def together(self, images: Sequence[np.ndarray], tokens: Sequence[list[int]]) -> "torch.Tensor":
        """See `VisualNetwork`."""
        import torch

        with self._lock, torch.inference_mode():
            ids, mask = self._padded(tokens)
            pixels = to_device(np.stack(images), self._place)
            return self._network.with_images(pixels, ids, mask)

    def texts_alone(self, tokens: Sequence[list[int]]) -> "torch.Tensor":
        """Vectors of texts, on the device."""
        import torch

        with self._lock, torch.inference_mode():
            return self._network.texts_alone(*self._padded(tokens))

    def _padded(self, tokens: Sequence[list[int]]) -> tuple["torch.Tensor", "torch.Tensor | None"]:
        ids, lengths = padded(tokens, _BGE_PAD)
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        # Without a mask the device's fastest attention can be taken.
        return to_device(ids, self._place), None if mask.all() else to_device(mask, self._place)
