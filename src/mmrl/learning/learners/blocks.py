"""Blocks: parts of the inputs that a learner weighs by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmrl.learning.inputs import NUMERIC, TEXTS, FeatureSpec, Inputs
from mmrl.samples.extras import EXTRA
from mmrl.samples.schema import SUBREDDIT_FEATURES, TIME_FEATURES

SUBREDDIT = "subreddit"  # the block of which subreddit a post is in


@dataclass(frozen=True)
class Block:
    """Some columns of a modality.

    Attributes:
        columns: their numbers, in the modality's values; for `subreddit`, how many there are.
    """

    name: str
    modality: str
    columns: tuple[int, ...]

    def of(self, inputs: Inputs) -> np.ndarray:
        """(n, width) float32; zero where a post lacks the modality. A subreddit is one of as many
        columns, the first for an unknown one."""
        if self.name == SUBREDDIT:
            hot: Any = np.eye(len(self.columns), dtype=np.float32)
            return np.asarray(hot[inputs.subreddit])
        return np.asarray(inputs.values[self.modality][:, list(self.columns)])

    def as_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return {"name": self.name, "modality": self.modality, "columns": list(self.columns)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Block":
        """What `as_json` made."""
        return cls(kept["name"], kept["modality"], tuple(kept["columns"]))


def blocks_of(spec: FeatureSpec, inputs: Inputs, modalities: Sequence[str]) -> tuple[Block, ...]:
    """The blocks of some modalities, and the subreddit; a post's own numbers are apart from what is
    known of its subreddit and its time."""
    blocks = []
    for modality in modalities:
        width = inputs.values[modality].shape[1]
        if modality == "post":
            own, level = _post_columns(spec)
            blocks += [Block("post", "post", own), Block("level", "post", level)]
        elif modality == EXTRA:
            own_columns = spec.extras.columns().items()
            blocks += [Block(f"{EXTRA} {name}", EXTRA, tuple(of)) for name, of in own_columns]
        elif modality == TEXTS:
            own_columns = spec.text_blocks().items()
            blocks += [Block(name, TEXTS, tuple(of)) for name, of in own_columns]
        else:
            blocks.append(Block(modality, modality, tuple(range(width))))
    blocks.append(Block(SUBREDDIT, SUBREDDIT, tuple(range(len(spec.subreddits) + 1))))
    return tuple(block for block in blocks if block.columns)


def _post_columns(spec: FeatureSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Columns of a post's own numbers, and of its subreddit's history and the time."""
    level = {*SUBREDDIT_FEATURES, *TIME_FEATURES}
    own = set(NUMERIC["post"]) - level
    return tuple(spec.columns_of("post", own)), tuple(spec.columns_of("post", level))
