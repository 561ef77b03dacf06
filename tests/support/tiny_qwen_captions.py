"""A small random Qwen3-VL-Instruct in the format it is published in."""

import json
from pathlib import Path

from tests.support.tiny_visual_models import QWEN_TEMPLATE, save_qwen_visual


def save_qwen_captions(folder: Path, end: float = 0.0) -> Path:
    """Writes its files: those of the embedding model, but for what makes it write.

    Args:
        end: how much the token that ends a text is like what the model writes first.
    """
    import torch
    from safetensors.torch import load_file, save_file

    save_qwen_visual(folder)  # the same keys: scores are taken by the table of inputs
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["tie_word_embeddings"] = config["text_config"]["tie_word_embeddings"] = True
    (folder / "config.json").write_text(json.dumps(config), "utf-8")

    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    tokenizer["post_processor"] = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    ends = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    generation = {
        "bos_token_id": ends[1],
        "pad_token_id": ends[1],
        "do_sample": True,
        "eos_token_id": ends,
        "top_p": 0.8,
        "top_k": 20,
        "temperature": 0.7,
        "repetition_penalty": 1.0,
    }
    (folder / "generation_config.json").write_text(json.dumps(generation), "utf-8")
    (folder / "chat_template.jinja").unlink()
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": QWEN_TEMPLATE}))
    processor = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    processor["size"] = {"longest_edge": 16_777_216, "shortest_edge": 65_536}
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        (folder / name).write_text(json.dumps(processor), "utf-8")

    state = load_file(folder / "model.safetensors")
    table = state["model.language_model.embed_tokens.weight"].float()
    # Bytes of letters and spaces score higher than others, so that words come out.
    said = [i for i, letter in _bytes(tokenizer) if letter == "\u0120" or letter.isascii()]
    quiet = torch.ones(len(table), 1)
    quiet[said] = 3.0
    # A small table: what layers add outweighs the word before, which else would be said again.
    quiet *= 0.05
    table *= quiet
    if end:
        table[ends[0]] = end * table[said].mean(0) + table[ends[0]] * 3
    state["model.language_model.embed_tokens.weight"] = table.to(torch.bfloat16)
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    return folder


def _bytes(tokenizer: dict) -> list[tuple[int, str]]:
    found = tokenizer["model"]["vocab"].items()
    return [(i, letter) for letter, i in found if letter.isalpha() or letter == "\u0120"]
