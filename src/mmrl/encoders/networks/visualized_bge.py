"""The network of Visualized BGE m3: an image's patches as further tokens of a text encoder.

From the published facts of the model (FlagOpen/FlagEmbedding, research/visual_bge, and its paper,
arXiv:2406.04292), on timm's EVA02-CLIP tower and transformers' XLM-R:

- the tower's last block gives a vector a patch, before the final norm and without the class token;
- a linear layer brings them into the text encoder's space, where they take positions 1, 2, ... of
  its position embeddings and its embedding norm, but no token type;
- the text's first token stands before them at position 0, its other tokens after them, from 257;
- the vector is the first token's output, scaled to length 1.

A text without an image has XLM-R's own positions, which begin at 2.
"""

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from mmrl.encoders.networks.clip_image import MEAN, SIDE, STD
from mmrl.encoders.networks.torchvision import ensure_torchvision
from mmrl.errors import WeightsError

ensure_torchvision()

import timm  # noqa: E402
from transformers import AutoConfig  # noqa: E402
from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaEncoder  # noqa: E402

PAD = 1  # XLM-R's <pad>; also the position of a padding token
_HEAD = 64  # width of an attention head in every EVA02-CLIP

_TOWER = "model_visual.visual."
# What the tower's parts are called in the published file, and in timm.
_NAMES = (
    (".attn.q_bias", ".attn.q_proj.bias"),
    (".attn.v_bias", ".attn.v_proj.bias"),
    (".attn.inner_attn_ln.", ".attn.norm."),
    (".mlp.ffn_ln.", ".mlp.norm."),
    (".mlp.w1.", ".mlp.fc1_g."),
    (".mlp.w2.", ".mlp.fc1_x."),
    (".mlp.w3.", ".mlp.fc2."),
)
# The file's sines and cosines of the patches' places are used, not worked out anew: in the
# published file they are rounded to float16, and its authors' vectors come from those.
_ANGLES = (f"{_TOWER}rope.freqs_sin", f"{_TOWER}rope.freqs_cos")
# In the published file and not used: CLIP's own head, scale and final norm, the text encoder's
# pooler, its table of positions, and each block's own copy of the angles.
_UNUSED = (
    "bge_embeddings.position_ids",
    "bge_pooler.",
    "model_visual.logit_scale",
    f"{_TOWER}head.",
    f"{_TOWER}norm.",
)
_COPIES = (".rope.freqs_sin", ".rope.freqs_cos")


class VisualizedBgeNetwork(nn.Module):
    """Its parts have the names of the published file, except for those within timm's tower.

    Attributes:
        positions: how many tokens it has positions for, image and text together.
        patches: tokens an image becomes.
    """

    def __init__(self, tower: nn.Module, config: Any) -> None:
        super().__init__()
        width = config.hidden_size
        self.model_visual = nn.ModuleDict({"visual": tower})
        self.visual_proj = nn.Linear(width, width)
        self.bge_embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(config.vocab_size, width),
                "position_embeddings": nn.Embedding(config.max_position_embeddings, width),
                "token_type_embeddings": nn.Embedding(config.type_vocab_size, width),
                "LayerNorm": nn.LayerNorm(width, config.layer_norm_eps),
            }
        )
        self.bge_encoder = XLMRobertaEncoder(config)
        self.positions: int = config.max_position_embeddings
        self.patches: int = tower.patch_embed.num_patches  # type: ignore[union-attr, assignment]

    def with_images(
        self, pixels: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Vectors of images and texts together, float32.

        Args:
            pixels: of shape (n, 224, 224, 3), uint8, RGB.
            tokens: of shape (n, length), padded at the end.
            mask: of the same shape, false where padded; None where nothing is.
        """
        images = self._images(pixels)
        length = tokens.shape[1]
        positions = torch.arange(self.patches, self.patches + length, device=tokens.device)
        positions[0] = 0
        texts = self._texts(tokens, positions)
        x = torch.cat([texts[:, :1], images, texts[:, 1:]], dim=1)
        if mask is not None:
            mask = F.pad(mask, (self.patches, 0), value=True)
        return self._first(x, mask)

    def texts_alone(self, tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Vectors of texts, float32; arguments as above."""
        positions = torch.arange(PAD + 1, PAD + 1 + tokens.shape[1], device=tokens.device)
        return self._first(self._texts(tokens, positions), mask)

    def _images(self, pixels: torch.Tensor) -> torch.Tensor:
        dtype = self.visual_proj.weight.dtype
        # Colour by colour with plain numbers: sending tables of them would wait for the device.
        colours = (pixels[..., i].float() / 255 for i in range(3))
        scaled = [(c - m) / s for c, m, s in zip(colours, MEAN, STD, strict=True)]
        seen = self.model_visual["visual"].forward_features(torch.stack(scaled, 1).to(dtype))  # type: ignore[operator]
        x = self.visual_proj(seen[:, 1:])
        place = self.bge_embeddings["position_embeddings"].weight[1 : 1 + self.patches]  # type: ignore[index]
        return self._norm(x + place)

    def _texts(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        x = self.bge_embeddings["word_embeddings"](tokens)
        x = x + self.bge_embeddings["token_type_embeddings"].weight[0]  # type: ignore[index]
        return self._norm(x + self.bge_embeddings["position_embeddings"](positions))

    def _norm(self, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.bge_embeddings["LayerNorm"](x)
        return normed

    def _first(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        attended = None if mask is None else mask[:, None, None, :]
        out = self.bge_encoder(x, attention_mask=attended).last_hidden_state[:, 0]
        return F.normalize(out.float(), dim=-1)


def load(weights: Path, text_folder: Path) -> VisualizedBgeNetwork:
    """The network with the weights of a published file, in their number format, on the CPU.

    Its sizes are read from the shapes of the weights and from the text encoder's `config.json`.

    Raises:
        WeightsError: the file can't be read, or lacks weights, or has others.
    """
    tensors = _read(weights)
    config = AutoConfig.from_pretrained(text_folder, local_files_only=True)
    config._attn_implementation = "sdpa"
    with torch.device("meta"):  # nothing is drawn at random only to be replaced
        network = VisualizedBgeNetwork(_tower(tensors, weights), config)
    ours = {_to_timm(key): value for key, value in tensors.items() if not _unused(key)}
    rope: Any = network.model_visual["visual"].rope
    rope.to_empty(device="cpu")
    rope.init_non_persistent_buffers()
    try:
        rope.pos_embed.copy_(torch.cat([tensors[key] for key in _ANGLES], dim=1))
        mismatch = network.load_state_dict(ours, strict=False, assign=True)
    except RuntimeError as error:
        raise WeightsError(
            f"{weights} does not fit the text encoder of {text_folder}: "
            f"{' '.join(str(error).split())[:400]}. Give Visualized_m3.pth with bge-m3's folder."
        ) from error
    if mismatch.missing_keys or mismatch.unexpected_keys:
        raise WeightsError(
            f"{weights} is not laid out as the published Visualized_m3.pth: "
            f"{_listed('missing', map(_to_published, mismatch.missing_keys))}; "
            f"{_listed('unexpected', map(_to_published, mismatch.unexpected_keys))}. "
            "Fetch the file anew with `mmrl weights fetch BAAI/bge-visualized`."
        )
    return network.eval().requires_grad_(False)


def _read(weights: Path) -> dict[str, torch.Tensor]:
    try:
        # Mapped, the file's pages go to the device without a second copy in memory.
        tensors = torch.load(
            weights, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(weights)
        )
    except Exception as error:  # torch raises many kinds for a broken file
        raise WeightsError(
            f"{weights} can't be read as weights ({type(error).__name__}: {str(error)[:200]}). "
            "Fetch it anew with `mmrl weights fetch BAAI/bge-visualized`."
        ) from error
    if not isinstance(tensors, dict) or not all(
        isinstance(v, torch.Tensor) for v in tensors.values()
    ):
        raise WeightsError(f"{weights} holds no plain table of weights; give Visualized_m3.pth.")
    return tensors


def _tower(tensors: dict[str, torch.Tensor], weights: Path) -> nn.Module:
    """EVA02-CLIP's tower in the sizes of the weights, without head and final norm."""
    patches, gate = f"{_TOWER}patch_embed.proj.weight", f"{_TOWER}blocks.0.mlp.w1.weight"
    missing = [key for key in (patches, gate, *_ANGLES) if key not in tensors]
    if missing:
        raise WeightsError(
            f"{weights} holds no image tower: {_listed('missing', missing)}. "
            "Give the published Visualized_m3.pth."
        )
    width, _, _, patch = tensors[patches].shape
    hidden = tensors[gate].shape[0]
    blocks = {key.split(".")[3] for key in tensors if key.startswith(f"{_TOWER}blocks.")}
    tower: nn.Module = timm.create_model(
        "eva02_large_patch14_clip_224",
        img_size=SIDE,
        patch_size=patch,
        embed_dim=width,
        depth=len(blocks),
        num_heads=width // _HEAD,
        mlp_ratio=math.nextafter(hidden / width, math.inf),  # timm rounds the product down
        num_classes=0,
        use_post_transformer_norm=False,
    )
    return tower


def _unused(key: str) -> bool:
    return key.startswith(_UNUSED) or (key.startswith(_TOWER) and key.endswith(_COPIES))


def _to_timm(key: str) -> str:
    return _renamed(key, _NAMES)


def _to_published(key: str) -> str:
    return _renamed(key, [(ours, theirs) for theirs, ours in _NAMES])


def _renamed(key: str, names: Iterable[tuple[str, str]]) -> str:
    if key.startswith(_TOWER):
        for before, after in names:
            key = key.replace(before, after)
    return key


def _listed(what: str, keys: Iterable[str]) -> str:
    names = sorted(keys)
    if not names:
        return f"0 {what}"
    return f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
