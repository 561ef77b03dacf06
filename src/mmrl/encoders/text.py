"""Text encoders of the hub: transformers that turn titles and captions into vectors.

Texts are sorted by length, so that little is padded; a block of them is tokenized while the
device works on the block before; a batch holds so many tokens, however many texts that is; and
vectors stay on the device until the call ends, so that it never waits for the host between two
batches.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.device import Place
from mmrl.encoders.device.images import Rows
from mmrl.encoders.device.threads import ModelLock
from mmrl.encoders.device.tokens import by_length, load_tokenizer, padded, tokenize
from mmrl.encoders.hub.checkpoint import Checkpoint
from mmrl.encoders.hub.encoder import FromHub

if TYPE_CHECKING:
    import torch

    from mmrl.encoders.networks.bge_m3 import BgeM3Network
    from mmrl.encoders.networks.qwen3 import QwenTextNetwork

MAX_TOKENS = 8_192
# Tokens a batch, padding included. On a GPU this is some 500 titles and keeps it busy for longer
# than the host needs to hand over the next batch; on a CPU more only empties the caches.
_ON_GPU, _ON_CPU = 16_384, 1_024
# Characters a block, for each token of a batch: some four batches of English, twelve of Chinese.
# Tokenizing goes at about 10,000 titles a second and core, a GPU at several 10,000.
_BLOCK = 16


class TextNetwork(Protocol):
    """A network on its device, in evaluation mode."""

    def vectors(self, ids: np.ndarray, lengths: np.ndarray) -> "torch.Tensor":
        """Vectors of shape (n, dim), float32, each of length 1, left on the device.

        Args:
            ids: tokens of shape (n, longest), padded at the end.
            lengths: how many of them each text has, (n,).
        """
        ...


class HubText(FromHub["_Loaded"]):
    """A TextEncoder with weights of the hub.

    Attributes:
        truncated: how many texts were cut at 8,192 tokens so far.
        width: the number of dimensions it is published with.
        pooling: where the vector is taken, as the id says it.
        pad: the token that fills up a batch.
    """

    width: int
    pooling: str
    pad: int

    def __init__(self, model: Checkpoint) -> None:
        super().__init__(model)
        self.truncated = 0

    @property
    def rules(self) -> str:
        """How texts are cut, and where the vector is taken."""
        return f"{MAX_TOKENS}tok,{self.pooling},l2"

    @property
    def dim(self) -> int:
        """The model's width, but for a local folder that says otherwise."""
        return self._model.width(self.width, "hidden_size")

    @abstractmethod
    def load(self, folder: Path, place: Place) -> TextNetwork:
        """The network, with the weights of a folder.

        Raises:
            WeightsError: they are not the model's.
        """

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of shape (len(texts), dim), float32, each of length 1."""
        if not len(texts):
            return np.empty((0, self.dim), np.float32)
        net = self._network()
        rows = Rows()
        for places, tokens, cut in net.tokenized(texts):
            self.truncated += cut
            self._embed(net, places, tokens, rows)
        return rows.stacked()

    def _embed(
        self, net: "_Loaded", places: list[int], tokens: list[list[int]], rows: Rows
    ) -> None:
        """Puts a block of texts through the network, in batches."""
        order = by_length(tokens)

        def forward(chosen: Sequence[int]) -> "torch.Tensor":
            return net.vectors([tokens[order[i]] for i in chosen], self.pad)

        for batch in net.batches.split([len(tokens[i]) for i in order]):
            for part, vectors in net.batches.run(batch, forward):
                rows.add([places[order[i]] for i in part], vectors)

    def _load(self) -> "_Loaded":
        network = self.load(self._model.folder(), self._model.place)
        return _Loaded(self.name, self._model, network)


class BgeM3(HubText):
    """BAAI/bge-m3's dense vectors: the first token's output of XLM-R, scaled to length 1.

    As FlagEmbedding's `BGEM3FlagModel` gives them as `dense_vecs` (Chen et al. 2024,
    arXiv:2402.03216). The other two kinds of vectors that the model can give are not used.
    """

    name = "bge-m3"
    width = 1024
    pooling = "cls"
    pad = 1  # XLM-R's <pad>

    def load(self, folder: Path, place: Place) -> "BgeM3Network":
        """See `HubText.load`."""
        from mmrl.encoders.networks.bge_m3 import BgeM3Network

        return BgeM3Network(folder, place)


class QwenText(HubText):
    """Qwen3-Embedding's vectors: the output at the last token, scaled to length 1.

    As its authors use it for documents: without an instruction, which is for queries of a search
    (Zhang et al. 2025, arXiv:2506.05176). The tokenizer ends each text with the token that is
    read.
    """

    name = "qwen3-embedding-0.6b"
    width = 1024
    stored = 2  # bfloat16
    pooling = "last"
    pad = 0  # any token: rows are padded at their ends, where a causal model never looks

    def load(self, folder: Path, place: Place) -> "QwenTextNetwork":
        """See `HubText.load`."""
        from mmrl.encoders.networks.qwen3 import QwenTextNetwork

        return QwenTextNetwork(folder, place)


class _Loaded:
    """Network and tokenizer in memory, and how much they take at once."""

    def __init__(self, name: str, model: Checkpoint, network: TextNetwork) -> None:
        self._network = network
        self._tokenizer = load_tokenizer(model.folder(), model.name)
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._lock = ModelLock()
        self.batches = BatchSize(name, _ON_GPU if model.place.on_gpu else _ON_CPU, "tokens")

    def tokenized(self, texts: Sequence[str]) -> Iterator[tuple[list[int], list[list[int]], int]]:
        """Blocks of texts, the shortest first, the next one made ready in a thread.

        Yields:
            the places of the block's texts, their token ids, and how many of them were cut.
        """
        blocks = _blocks([len(text) for text in texts], _BLOCK * self.batches.size)
        with ThreadPoolExecutor(1, thread_name_prefix="tokenize") as thread:
            waiting = [thread.submit(self.tokenize, [texts[i] for i in blocks[0]])]
            for place, block in enumerate(blocks):
                if place + 1 < len(blocks):
                    following = [texts[i] for i in blocks[place + 1]]
                    waiting.append(thread.submit(self.tokenize, following))
                yield block, *waiting.pop(0).result()

    def tokenize(self, texts: Sequence[str]) -> tuple[list[list[int]], int]:
        """Each text's token ids, and how many texts were longer than allowed."""
        return tokenize(self._tokenizer, texts)

    def vectors(self, tokens: Sequence[list[int]], pad: int) -> "torch.Tensor":
        """Vectors of texts, on the device."""
        import torch

        with self._lock, torch.inference_mode():
            return self._network.vectors(*padded(tokens, pad))


def _blocks(characters: Sequence[int], most: int) -> list[list[int]]:
    """Places of texts, the shortest first, so many characters a block and at least one text.

    Characters say well enough how many tokens there will be; an empty text counts as one.
    """
    blocks: list[list[int]] = []
    held = 0
    for place in sorted(range(len(characters)), key=lambda i: characters[i]):
        count = max(1, characters[place])
        if not blocks or held + count > most:
            blocks.append([])
            held = 0
        blocks[-1].append(place)
        held += count
    return blocks
