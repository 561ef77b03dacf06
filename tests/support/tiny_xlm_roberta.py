"""The sizes and the weights' names of a small XLM-RoBERTa, in the published format."""

import json
from pathlib import Path

from tests.support.tiny_tokenizers import save_xlm_roberta_tokenizer


def save_config(folder: Path, width: int, layers: int, positions: int) -> int:
    """Writes `config.json` and the tokenizer; returns how many tokens there are."""
    count = save_xlm_roberta_tokenizer(folder)
    config = {
        "architectures": ["XLMRobertaModel"],
        "model_type": "xlm-roberta",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 2 * width,
        "max_position_embeddings": positions,
        "vocab_size": count,
        "type_vocab_size": 1,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "layer_norm_eps": 1e-05,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return count


def shapes(vocabulary: int, width: int, layers: int, positions: int) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of its weights, the pooler's included."""
    w = width
    found: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (vocabulary, w),
        "embeddings.position_embeddings.weight": (positions, w),
        "embeddings.token_type_embeddings.weight": (1, w),
        "embeddings.LayerNorm.weight": (w,),
        "embeddings.LayerNorm.bias": (w,),
        "pooler.dense.weight": (w, w),
        "pooler.dense.bias": (w,),
    }
    for layer in range(layers):
        name = f"encoder.layer.{layer}."
        for part, out, inner in (
            ("attention.self.query", w, w),
            ("attention.self.key", w, w),
            ("attention.self.value", w, w),
            ("attention.output.dense", w, w),
            ("intermediate.dense", 2 * w, w),
            ("output.dense", w, 2 * w),
        ):
            found |= {f"{name}{part}.weight": (out, inner), f"{name}{part}.bias": (out,)}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            found |= {f"{name}{part}.weight": (w,), f"{name}{part}.bias": (w,)}
    return found
