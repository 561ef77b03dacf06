"""Memo of the vectors of what was encoded last, within a bound.

Stages ask for the same contents one after another: tags, image vector and label bridge for the
same images, title and label bridge for the same titles. With a memo the second and third pay for
a look-up instead of a pass of the network. When it is full a random one makes room: stages walk
the same contents in the same order, and dropping the oldest would then drop each one just before
it is asked for again.
"""

import random
from collections.abc import Iterable

import numpy as np


class Memo:
    """Up to `most` vectors by name."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._vectors: dict[str, np.ndarray] = {}
        self._names: list[str] = []
        self._random = random.Random(0)

    def __len__(self) -> int:
        return len(self._vectors)

    def find(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """The vectors that are remembered, by name."""
        return {name: self._vectors[name] for name in set(names) if name in self._vectors}

    def keep(self, name: str, vector: np.ndarray) -> None:
        """Remembers a vector under a name, unless it is remembered already."""
        if name in self._vectors:
            return
        if len(self._names) < self._most:
            self._names.append(name)
        else:
            place = self._random.randrange(self._most)
            del self._vectors[self._names[place]]
            self._names[place] = name
        self._vectors[name] = vector.copy()  # a view would hold its whole batch in memory

    def forget(self) -> None:
        """Empties the memo."""
        self._vectors.clear()
        self._names.clear()
