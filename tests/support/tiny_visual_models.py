"""Small random checkpoints of the image + text models, in the formats they are published in.

The numbers are drawn with numpy's PCG64, whose stream is fixed, so that vectors worked out
elsewhere from the same recipe can be kept in `fixtures/`.
"""

import io
import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from mmrl.encoders.networks.torchvision import ensure_torchvision
from tests.support import tiny_xlm_roberta
from tests.support.tiny_tokenizers import save_qwen_tokenizer

WIDTH = 128
HIDDEN = 341  # of the tower's MLP: int(128 * 2.6667), as the published code rounds it
LAYERS = 2  # of the tower and of the text encoder
POSITIONS = 402  # of the text encoder: 400 tokens

TEXTS = ["a photo of my first painting", "", "Cat! (on the dog), 漢字 and the OF"]


def numbers(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weights of one key: small around 1 for norms, else scaled by what goes in."""
    random = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    drawn = random.standard_normal(shape).astype(np.float32)
    if key.endswith(("bias", "_token")) or len(shape) == 0:
        return drawn * np.float32(0.1)
    if len(shape) == 1:
        return 1 + drawn * np.float32(0.1)
    if "embed" in key and "proj" not in key:
        return drawn * np.float32(0.3)
    return drawn * np.float32(1.2 / np.sqrt(np.prod(shape[1:])))


def visualized_bge_shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of `Visualized_m3.pth`, small."""
    w, h = WIDTH, HIDDEN
    shapes: dict[str, tuple[int, ...]] = {
        "visual_proj.weight": (w, w),
        "visual_proj.bias": (w,),
        "model_visual.logit_scale": (),
    }
    text = tiny_xlm_roberta.shapes(vocabulary, WIDTH, LAYERS, POSITIONS)
    shapes |= {f"bge_{key}": shape for key, shape in text.items()}
    tower = "model_visual.visual."
    shapes |= {
        f"{tower}cls_token": (1, 1, w),
        f"{tower}pos_embed": (1, 257, w),
        f"{tower}patch_embed.proj.weight": (w, 3, 14, 14),
        f"{tower}patch_embed.proj.bias": (w,),
        f"{tower}norm.weight": (w,),
        f"{tower}norm.bias": (w,),
        f"{tower}head.weight": (96, w),
        f"{tower}head.bias": (96,),
        f"{tower}rope.freqs_cos": (256, 64),
        f"{tower}rope.freqs_sin": (256, 64),
    }
    for layer in range(LAYERS):
        name = f"{tower}blocks.{layer}."
        for part, size in (
            ("norm1", w),
            ("norm2", w),
            ("attn.inner_attn_ln", w),
            ("mlp.ffn_ln", h),
        ):
            shapes[f"{name}{part}.weight"] = shapes[f"{name}{part}.bias"] = (size,)
        for part in ("q_proj", "k_proj", "v_proj", "proj"):
            shapes[f"{name}attn.{part}.weight"] = (w, w)
        for part in ("q_bias", "v_bias", "proj.bias"):
            shapes[f"{name}attn.{part}"] = (w,)
        for part, out, inner in (("w1", h, w), ("w2", h, w), ("w3", w, h)):
            shapes[f"{name}mlp.{part}.weight"] = (out, inner)
            shapes[f"{name}mlp.{part}.bias"] = (out,)
        shapes[f"{name}attn.rope.freqs_cos"] = shapes[f"{name}attn.rope.freqs_sin"] = (256, 64)
    return shapes


def visualized_bge_weights(vocabulary: int) -> dict[str, np.ndarray]:
    """The weights of a small Visualized BGE, by their published keys."""
    weights = {
        key: numbers(key, shape)
        for key, shape in visualized_bge_shapes(vocabulary).items()
        if "freqs" not in key
    }
    # Angles of the 16 x 16 patches: 16 frequencies down, each twice, then as many across.
    frequencies = np.repeat(10_000.0 ** (-np.arange(0, 32, 2) / 32), 2)
    down, across = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    angles = [place.reshape(-1, 1) * frequencies for place in (down, across)]
    table = np.concatenate(angles, axis=1)
    tower = "model_visual.visual."
    for name in (tower, *(f"{tower}blocks.{layer}.attn." for layer in range(LAYERS))):
        weights[f"{name}rope.freqs_cos"] = np.cos(table).astype(np.float32)
        weights[f"{name}rope.freqs_sin"] = np.sin(table).astype(np.float32)
    return weights


def save_visualized_bge(folder: Path, weights: Mapping[str, np.ndarray]) -> Path:
    """Writes `Visualized_m3.pth` in float16 as published, with an old file's table of positions."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    state = {key: torch.from_numpy(np.asarray(value, np.float16)) for key, value in weights.items()}
    state["bge_embeddings.position_ids"] = torch.arange(POSITIONS)[None]
    torch.save(state, folder / "Visualized_m3.pth")
    return folder


def save_bge_m3(folder: Path) -> int:
    """Writes what Visualized BGE takes from bge-m3: sizes and tokenizer; its weights are empty.

    Returns:
        how many tokens there are.
    """
    count = tiny_xlm_roberta.save_config(folder, WIDTH, LAYERS, POSITIONS)
    (folder / "pytorch_model.bin").write_bytes(b"")
    return count


def image_file(seed: int, width: int, height: int) -> bytes:
    """A PNG of smooth random colours, the same everywhere."""
    random = np.random.Generator(np.random.PCG64(seed))
    coarse = random.integers(0, 256, (6, 5, 3)).astype(np.float64)
    down = np.linspace(0, 5, height)
    across = np.linspace(0, 4, width)
    row = np.minimum(down.astype(int), 4)
    column = np.minimum(across.astype(int), 3)
    y, x = (down - row)[:, None, None], (across - column)[None, :, None]
    corner = [coarse[row + i][:, column + j] for i in (0, 1) for j in (0, 1)]
    mixed = (corner[0] * (1 - x) + corner[1] * x) * (1 - y)
    mixed += (corner[2] * (1 - x) + corner[3] * x) * y
    file = io.BytesIO()
    Image.fromarray(np.rint(mixed).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


IMAGE_FILES = [image_file(1, 300, 224), image_file(2, 180, 410), image_file(3, 640, 480)]


QWEN_WIDTH = 64
# What the published template makes of a system turn and of one with an image and a text.
QWEN_TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- for part in message.content %}{%- if part.type == 'image' %}"
    "{{- '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- else %}{{- part.text }}{%- endif %}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


def save_qwen_visual(folder: Path) -> None:
    """Writes Qwen3-VL-Embedding's files with a small random model."""
    ensure_torchvision()
    import torch
    from safetensors.torch import save_file
    from transformers import Qwen3VLConfig, Qwen3VLModel

    folder.mkdir(parents=True, exist_ok=True)
    ids = save_qwen_tokenizer(folder)
    w = QWEN_WIDTH
    config = Qwen3VLConfig(
        architectures=["Qwen3VLForConditionalGeneration"],
        text_config={
            "vocab_size": len(ids) + 256,
            "hidden_size": w,
            "intermediate_size": 2 * w,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5_000_000,
                "mrope_section": [4, 2, 2],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 3,
            "hidden_size": w,
            "intermediate_size": 2 * w,
            "num_heads": 4,
            "out_hidden_size": w,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    config.save_pretrained(folder)
    shapes = {key: tuple(value.shape) for key, value in Qwen3VLModel(config).state_dict().items()}
    # Its authors' class keeps the model under this name, and has no head.
    state = {f"model.{key}": torch.from_numpy(numbers(key, s)) for key, s in shapes.items()}
    save_file(
        {key: value.to(torch.bfloat16) for key, value in state.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    (folder / "chat_template.jinja").write_text(QWEN_TEMPLATE, "utf-8")
    settings = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "size": {"longest_edge": 1_310_720, "shortest_edge": 4_096},
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        (folder / name).write_text(json.dumps(settings), "utf-8")
