"""Small random checkpoints of the text models, in the formats they are published in.

The numbers are drawn with numpy's PCG64, whose stream is fixed, so that vectors worked out
elsewhere from the same recipe can be kept in `fixtures/`.
"""

import json
from pathlib import Path

import numpy as np

from tests.support import tiny_xlm_roberta
from tests.support.tiny_tokenizers import save_qwen_tokenizer
from tests.support.tiny_visual_models import numbers

WIDTH = 64
LAYERS = 3
POSITIONS = 8_194  # as bge-m3: 8,192 tokens

TEXTS = [
    "a photo of my first painting",
    "",
    "Cat! (on the dog), 漢字 and the OF 😀",
    "dog",
    "my first cat " * 40,
    "a cat on the dog " * 2_500,  # longer than the model takes
    "the <pad> word, and <pad> <mask> </s> once more",  # markers as words
]


def save_bge_m3(folder: Path, dtype: str = "float32") -> Path:
    """Writes a small bge-m3: `pytorch_model.bin` with the unused pooler, as published."""
    import torch

    count = tiny_xlm_roberta.save_config(folder, WIDTH, LAYERS, POSITIONS)
    shapes = tiny_xlm_roberta.shapes(count, WIDTH, LAYERS, POSITIONS)
    state = {
        key: torch.from_numpy(np.asarray(numbers(key, shape))).to(getattr(torch, dtype))
        for key, shape in shapes.items()
    }
    torch.save(state, folder / "pytorch_model.bin")
    return folder


def save_qwen_text(folder: Path) -> Path:
    """Writes a small Qwen3-Embedding, with sentence-transformers' files beside it as published."""
    import torch
    from transformers import Qwen3Config, Qwen3Model

    count = 256 + len(save_qwen_tokenizer(folder))
    config = Qwen3Config(
        vocab_size=count,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
        architectures=["Qwen3ForCausalLM"],
    )
    network = Qwen3Model(config)
    state = {
        key: torch.from_numpy(np.asarray(numbers(key, tuple(value.shape))))
        for key, value in network.state_dict().items()
    }
    network.load_state_dict(state)
    network.save_pretrained(folder)
    parts = [
        ("0", "", "sentence_transformers.models.Transformer"),
        ("1", "1_Pooling", "sentence_transformers.models.Pooling"),
        ("2", "2_Normalize", "sentence_transformers.models.Normalize"),
    ]
    modules = [
        {"idx": int(name), "name": name, "path": path, "type": kind} for name, path, kind in parts
    ]
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
    (folder / "1_Pooling").mkdir()
    (folder / "2_Normalize").mkdir()
    pooling = {
        "word_embedding_dimension": WIDTH,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": False,
        "pooling_mode_lasttoken": True,
        "include_prompt": True,
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), "utf-8")
    return folder
