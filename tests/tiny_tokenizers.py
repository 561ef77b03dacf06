"""Tokenizers in the formats that models are published with, small enough for tests to make."""

from pathlib import Path

WORDS = ("a", "an", "the", "of", "in", "on", "cat", "dog", "my", "first", "painting", "photo")


def save_xlm_roberta_tokenizer(folder: Path, extra: tuple[str, ...] = ()) -> int:
    """Writes XLM-R's tokenizer files (Unigram, `<s> ... </s>`) with a few hundred pieces.

    Args:
        extra: further tokens, taken whole, after the others (such as Kosmos-2's tags).

    Returns:
        how many tokens there are.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import XLMRobertaTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    characters = [chr(code) for code in range(33, 127)] + list("äöüéñ漢字日本😀▁")
    pieces = [(token, 0.0) for token in special]
    pieces += [(f"▁{word}", -3.0 - index / 50) for index, word in enumerate(WORDS)]
    pieces += [(character, -8.0 - index / 100) for index, character in enumerate(characters)]
    pieces.append(("<mask>", 0.0))
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
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
