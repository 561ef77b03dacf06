"""What every file of posts is to the importer: batches of rows, read in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from mmrl.sources.post import Parsed, Refused, Unstated

BATCH = 10_000  # rows a commit: what a kill loses at most; some 40 MB as Python objects


@dataclass(frozen=True)
class Batch:
    """Some rows of a file.

    Attributes:
        rows: each with the place it has in its file, such as `posts.csv:17`.
        outside: rows that were not asked for (another subreddit, another time), and left.
        units: how far this batch brings the reading on, in the source's units (bytes).
    """

    rows: Sequence[tuple[str, Parsed | Refused]]
    outside: int
    units: int


class PostSource(Protocol):
    """A file, or several, that posts are imported from.

    Attributes:
        name: what is being read, in a few words.
        size: how many units (bytes) all of it has.
    """

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def batches(self, as_of: datetime) -> Iterator[Batch]:
        """Reads it; `as_of` is the present.

        Raises:
            InputError: while iterating, when it can't be read any further; the batches before
                that are good.
        """
        ...


def unstated(path: Path, as_of: datetime, settled: bool, scores_as_of: datetime | None) -> Unstated:
    """What holds for scores that do not say when they were looked at.

    They were looked at when the user says (`scores_as_of`), and then count for what they are at
    that age. Otherwise all that is certain is that the file was last written after it; the look is
    recorded under that time, and is a label only if `settled`.
    """
    if scores_as_of is not None:
        return Unstated(scores_as_of, settled=True)
    written = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    return Unstated(min(written, as_of), settled)
