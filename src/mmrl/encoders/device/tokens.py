"""Texts as tokens: loading a tokenizer, cutting, sorting by length and padding."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmrl.errors import WeightsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def load_tokenizer(folder: Path, model: str) -> "Tokenizer":
    """The tokenizer of a model's folder, which neither pads nor cuts.

    From the file itself: transformers' class for it would rebuild it by its own rules.

    Args:
        model: the name on the hub, for errors.

    Raises:
        WeightsError: its file is broken.
    """
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises no narrower class
        raise WeightsError(
            f"{file} is no tokenizer: {error}. Fetch it anew with `mmrl weights fetch {model}`."
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def tokenize(
    tokenizer: "Tokenizer", texts: Sequence[str], *, markers: bool = True
) -> tuple[list[list[int]], int]:
    """Each text's token ids, and how many texts were longer than the tokenizer allows.

    A lone surrogate is no Unicode text and the tokenizer refuses it: it reads as "?".

    Args:
        markers: put those around a text that the tokenizer says belong there.
    """
    clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    encodings = tokenizer.encode_batch(clean, add_special_tokens=markers)
    return [e.ids for e in encodings], sum(bool(e.overflowing) for e in encodings)


def by_length(tokens: Sequence[Sequence[int]]) -> list[int]:
    """Places of texts, the shortest first, so that little is padded."""
    return sorted(range(len(tokens)), key=lambda i: len(tokens[i]))


def padded(tokens: Sequence[Sequence[int]], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of shape (n, longest), padded at the end, and how many each text has, (n,)."""
    lengths = np.array([len(item) for item in tokens])
    ids = np.full((len(tokens), lengths.max()), pad, np.int64)
    for row, item in enumerate(tokens):
        ids[row, : len(item)] = item
    return ids, lengths
