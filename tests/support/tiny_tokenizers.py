"""Tokenizers in the formats that models are published with, small enough for tests to make."""

import json
from pathlib import Path

WORDS = ("a", "an", "the", "of", "in", "on", "cat", "dog", "my", "first", "painting", "photo")

QWEN_MARKERS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)


def save_xlm_roberta_tokenizer(folder: Path, extra: tuple[str, ...] = ()) -> int:
    """Writes XLM-R's tokenizer files (Unigram, `<s> ... </s>`) with a few hundred pieces.

    Args:
        extra: further tokens, taken whole, after the others (such as Kosmos-2's tags).

    Returns:
        how many tokens there are.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import XLMRobertaTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    characters = [chr(code) for code in range(33, 127)] + list("äöüéñ漢字日本😀▁")
    pieces = [(token, 0.0) for token in special]
    pieces += [(f"▁{word}", -3.0 - index / 50) for index, word in enumerate(WORDS)]
    pieces += [(character, -8.0 - index / 100) for index, character in enumerate(characters)]
    pieces.append(("<mask>", 0.0))
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    # As published, but for the table of characters that count as equal, which only
    # sentencepiece can make.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokenizer.add_special_tokens([*special, "<mask>"])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in extra])
    folder.mkdir(parents=True, exist_ok=True)
    fast = XLMRobertaTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        cls_token="<s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token="<mask>",
        model_max_length=8192,
    )
    fast.save_pretrained(folder)
    return len(fast)


def save_qwen_tokenizer(folder: Path) -> dict[str, int]:
    """Writes a Qwen tokenizer's files: bytes as tokens, and the markers, one of which ends a text.

    Returns:
        the markers' ids; the tokens before them are 256 bytes.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing

    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(m, special=True) for m in QWEN_MARKERS])
    end = "<|endoftext|>"
    tokenizer.post_processor = TemplateProcessing(
        single=f"$A {end}", special_tokens=[(end, tokenizer.token_to_id(end))]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "Qwen2Tokenizer", "pad_token": end, "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    return {marker: tokenizer.token_to_id(marker) for marker in QWEN_MARKERS}
