"""Greedy decoding of many rows at once: each token the likeliest.

What `generate` of transformers does with `do_sample=False`, without asking the device after every
token whether all rows have ended: that would leave it idle in between. And rows that have ended
are let go of, so that a few long texts do not hold up the rest at full width.
"""

from collections.abc import Collection
from typing import Protocol

import torch

_CHECK = 8  # tokens between two checks of which rows have ended


class Decoding(Protocol):
    """A model with a batch of rows in its cache."""

    def first(self) -> torch.Tensor:
        """Scores (n, vocabulary) of each row's first new token."""
        ...

    def following(self, tokens: torch.Tensor) -> torch.Tensor:
        """Scores (n, vocabulary) of what follows these tokens (n,)."""
        ...

    def keep(self, rows: torch.Tensor) -> None:
        """Goes on with these rows (places) only."""
        ...


def greedy(decoding: Decoding, stops: Collection[int], most: int) -> list[list[int]]:
    """Each row's new tokens, up to one of `stops` and without it, at most `most` of them."""
    tokens = decoding.first().argmax(-1)
    ends = torch.tensor(sorted(stops), device=tokens.device)
    over = torch.isin(tokens, ends)
    written = [tokens]
    texts: list[list[int]] = [[] for _ in range(len(tokens))]
    rows = list(range(len(tokens)))  # those still in the batch
    for count in range(1, most):
        if count % _CHECK == 0:
            ended = over.tolist()
            if all(ended):
                break
            if 2 * sum(ended) >= len(ended):
                _write(texts, rows, written)
                left = [place for place, done in enumerate(ended) if not done]
                kept = torch.tensor(left, device=tokens.device)
                decoding.keep(kept)
                tokens, over, written = tokens[kept], over[kept], []
                rows = [rows[place] for place in left]
        tokens = decoding.following(tokens).argmax(-1)
        over = over | torch.isin(tokens, ends)
        written.append(tokens)
    _write(texts, rows, written)
    return [_until(text, stops) for text in texts]


def _write(texts: list[list[int]], rows: list[int], written: list[torch.Tensor]) -> None:
    if written:
        for row, new in zip(rows, torch.stack(written, dim=1).tolist(), strict=True):
            texts[row] += new


def _until(text: list[int], stops: Collection[int]) -> list[int]:
    return next((text[:place] for place, token in enumerate(text) if token in stops), text)
