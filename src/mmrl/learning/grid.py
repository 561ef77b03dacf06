"""Posts that share what a model reads of them, so that learners work once on what is shared.

A ranking has each content (an image with a title) at each place (a subreddit at an hour): what is
read of a content is the same at every place, and what is read of a place the same for every
content. An explanation has posts mixed of a draft and others, each of a few groups of inputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_DENSE = 2  # times as many pairs as posts, or fewer, are worked on instead of the posts


@dataclass(frozen=True)
class Grid:
    """n posts, each made of a few parts.

    Attributes:
        numbers: of each part, (n,) which one it is, a whole number.
        part_of: by modality, (width,) the part that each column is of. Posts whose part is of one
            number have these columns in common, and, where all columns are of one part, whether the
            modality is there. A modality that has several parts may differ in that.
        subreddit: the part that the subreddit is of.
    """

    numbers: tuple[np.ndarray, ...]
    part_of: Mapping[str, np.ndarray]
    subreddit: int

    def take(self, rows: np.ndarray | slice) -> "Grid":
        """Some of the posts."""
        return Grid(tuple(each[rows] for each in self.numbers), self.part_of, self.subreddit)

    def examples(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each part, a post of each number that there is, and which of these each post has."""
        examples = []
        for numbers in self.numbers:
            _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
            examples.append((first, which))
        return examples

    def parts(self) -> range:
        """The parts' own numbers."""
        return range(len(self.numbers))


def is_dense(examples: Sequence[tuple[np.ndarray, np.ndarray]], posts: int) -> bool:
    """Whether posts of two parts are most of the pairs that these make."""
    return len(examples[0][0]) * len(examples[1][0]) <= _DENSE * posts
