"""Chunks that wait for their turn to be committed, in the order of the pending work.

A chunk whose actor died is tried again by itself, then in halves, until a single item has had three
actors die on it. So an item that kills whatever touches it ends as a failure and its neighbours are
done, and a machine that was switched off costs its chunks a second try.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

MOST_DEATHS = 3


@dataclass(eq=False)
class Chunk:
    """A chunk on its way.

    Attributes:
        rows: of the pending work.
        deaths: how many actors died while they had it, its larger chunk's counted.
        told: what the last death looked like.
        actor: who has it, or did it.
        answer: Ray's reference to the seconds that it took; None while nobody has it.
        results: Ray's reference to its results.
        done: the answer is there: `seconds`, as `StageActor.work` gives them, or an `error`.
    """

    rows: pa.Table
    deaths: int = 0
    told: str = ""
    actor: Any = None
    answer: Any = None
    results: Any = None
    done: bool = False
    seconds: float | None = None
    error: Exception | None = None

    @property
    def keys(self) -> list[str]:
        return self.rows["key"].to_pylist()

    @property
    def spent(self) -> bool:
        """A single item that too many actors died on."""
        return self.rows.num_rows == 1 and self.deaths >= MOST_DEATHS

    def taken_back(self) -> None:
        """Nobody has it any more, and what came of it does not count."""
        self.actor, self.answer, self.results = None, None, None
        self.done, self.error = False, None


class Line:
    """The chunks on their way, the next to be committed first."""

    def __init__(self, pending: pa.Table) -> None:
        self._pending = pending
        self._begun = 0
        self._chunks: deque[Chunk] = deque()

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def chunks(self) -> list[Chunk]:
        return list(self._chunks)

    @property
    def first(self) -> Chunk:
        return self._chunks[0]

    def grow(self, most: int) -> bool:
        """Cuts the next chunk off the pending work; false where all of it is under way."""
        rows = self._pending.slice(self._begun, most)
        if rows.num_rows:
            self._begun += rows.num_rows
            self._chunks.append(Chunk(rows))
        return bool(rows.num_rows)

    def leave(self, rest: pa.Table | None) -> None:
        """The first chunk is committed; what it had no room for takes its place."""
        self._chunks.popleft()
        if rest is not None:
            self._chunks.appendleft(Chunk(rest))

    def lose(self, actor: Any, told: str) -> None:
        """An actor died: what it had is to be done again, and so is what it did and still held.

        What it did is not kept, because an actor may rely in one chunk on what it gave in another.
        """
        for chunk in self.chunks:
            if chunk.actor is actor:
                if not chunk.done:
                    chunk.deaths += 1
                    chunk.told = told
                chunk.taken_back()
        self._chunks = deque(part for chunk in self._chunks for part in _halves(chunk))


def _halves(chunk: Chunk) -> list[Chunk]:
    if chunk.deaths < MOST_DEATHS - 1 or chunk.rows.num_rows == 1:
        return [chunk]
    half = chunk.rows.num_rows // 2
    return [
        Chunk(rows, MOST_DEATHS - 2, chunk.told)
        for rows in (chunk.rows.slice(0, half), chunk.rows.slice(half))
    ]
