"""all-MiniLM-L6-v2: sentences to 384-d vectors of length 1, for cosine similarity.

The network is BERT (Devlin et al. 2019, arXiv:1810.04805) with 6 layers of width 384, mean
pooling over the tokens and L2, as its sentence-transformers configuration says. It is written out
here because importing transformers or sentence-transformers takes several times as long as
loading and running this model; a test holds it to sentence-transformers' vectors within 1e-5.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from mmrl.encoders.device.threads import ModelLock, apply_threads
from mmrl.encoders.device.tokens import by_length, tokenize
from mmrl.encoders.packaged.memo import Memo
from mmrl.encoders.packaged.weights import MINILM

if TYPE_CHECKING:
    import torch

DIM = 384
MAX_TOKENS = 256  # sentence_bert_config.json; longer texts are cut there, as its authors do
_LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12  # config.json, layer_norm_eps
_BATCH = 32
_REMEMBERED = 65_536  # texts; 100 MB of vectors


class MiniLM:
    """A TextEncoder; `truncated` counts the distinct texts cut at 256 tokens so far."""

    dim = DIM
    id = f"{MINILM.model}@{MINILM.revision}+{MAX_TOKENS}tok,mean,l2"

    def __init__(self) -> None:
        self.truncated = 0

    def check(self) -> None:
        """Raises WeightsError where the weights are missing or not the recorded ones."""
        MINILM.path()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of shape (len(texts), 384), float32, each of length 1.

        Texts are batched by length, so that a short one is not padded to a long one's width, and
        come back in the order given. Texts encoded before in this process are remembered.
        """
        if not len(texts):
            return np.empty((0, DIM), np.float32)
        net = network()
        vectors = net.memo.find(texts)
        new = [text for text in dict.fromkeys(texts) if text not in vectors]
        tokens, truncated = net.tokenize(new)
        self.truncated += truncated
        order = by_length(tokens)
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            rows = net.forward([tokens[i] for i in chosen])
            for place, row in zip(chosen, rows, strict=True):
                vectors[new[place]] = row
                net.memo.keep(new[place], row)
        return np.stack([vectors[text] for text in texts])


@cache
def network() -> "_Bert":
    """One network a process, shared by all spaces that are encoded with it."""
    return _Bert()


class _Bert:
    """The weights and the forward pass."""

    def __init__(self) -> None:
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        apply_threads()
        self._lock = ModelLock()
        self.memo = Memo(_REMEMBERED)
        self._weights = load_file(MINILM.path())
        self._tokenizer = Tokenizer.from_file(str(MINILM.folder() / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        # Query, key and value as one product: three small ones leave the cores waiting.
        self._qkv = [self._joined(layer) for layer in range(_LAYERS)]

    def tokenize(self, texts: Sequence[str]) -> tuple[list[list[int]], int]:
        """Each text's token ids, and how many texts were longer than allowed."""
        return tokenize(self._tokenizer, texts)

    def forward(self, tokens: list[list[int]]) -> np.ndarray:
        """Vectors of shape (len(tokens), 384)."""
        import torch
        from torch.nn import functional as F

        longest = max(map(len, tokens))
        ids = torch.zeros(len(tokens), longest, dtype=torch.long)
        mask = torch.zeros(len(tokens), longest, dtype=torch.bool)
        for row, item in enumerate(tokens):
            ids[row, : len(item)] = torch.tensor(item)
            mask[row, : len(item)] = True
        with self._lock, torch.inference_mode():
            w = self._weights
            x = F.embedding(ids, w["embeddings.word_embeddings.weight"])
            x = x + w["embeddings.position_embeddings.weight"][:longest]
            x = x + w["embeddings.token_type_embeddings.weight"][0]
            x = self._norm(x, "embeddings.LayerNorm")
            attended = mask[:, None, None, :]
            for layer in range(_LAYERS):
                x = self._layer(x, attended, layer)
            kept = mask[..., None].to(x.dtype)
            mean = (x * kept).sum(1) / kept.sum(1)
            return np.asarray(F.normalize(mean, dim=1))

    def _layer(self, x: "torch.Tensor", mask: "torch.Tensor", layer: int) -> "torch.Tensor":
        from torch.nn import functional as F

        name = f"encoder.layer.{layer}"
        rows, length, width = x.shape
        weight, bias = self._qkv[layer]
        qkv = F.linear(x, weight, bias).view(rows, length, 3, _HEADS, width // _HEADS)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        seen = seen.transpose(1, 2).reshape(rows, length, width)
        seen = self._linear(seen, f"{name}.attention.output.dense")
        x = self._norm(x + seen, f"{name}.attention.output.LayerNorm")
        wide = F.gelu(self._linear(x, f"{name}.intermediate.dense"))
        narrow = self._linear(wide, f"{name}.output.dense")
        return self._norm(x + narrow, f"{name}.output.LayerNorm")

    def _linear(self, x: "torch.Tensor", name: str) -> "torch.Tensor":
        from torch.nn import functional as F

        return F.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, x: "torch.Tensor", name: str) -> "torch.Tensor":
        from torch.nn import functional as F

        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return F.layer_norm(x, (DIM,), weight, bias, _EPSILON)

    def _joined(self, layer: int) -> tuple["torch.Tensor", "torch.Tensor"]:
        import torch

        name = f"encoder.layer.{layer}.attention.self"
        parts = [f"{name}.{part}" for part in ("query", "key", "value")]
        return (
            torch.cat([self._weights[f"{part}.weight"] for part in parts]),
            torch.cat([self._weights[f"{part}.bias"] for part in parts]),
        )
