"""The protocol of files that posts are imported from: batches of rows, read in order."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from mmrl.sources.files.content import BEGINNING, STDIN, Entry
from mmrl.sources.files.rows import Rows
from mmrl.sources.post import Unstated

BATCH = 10_000  # rows a commit, and so the most that a kill loses; some 40 MB as Python objects
BATCH_BYTES = 1 << 25  # of their text in the file; a batch ends with the first of both


@dataclass(frozen=True)
class Mark:
    """How far files were read: what follows begins there.

    Attributes:
        file: which of the files, from 0.
        line: lines of that file before it.
        text: unpacked bytes of that file before it.
        entry: a place of that file, at or before it, where unpacking can begin.
        units: how much of the source was read until there, in its units (bytes).
        found: a post that was asked for was met.
    """

    file: int = 0
    line: int = 0
    text: int = 0
    entry: Entry = BEGINNING
    units: int = 0
    found: bool = False


START = Mark()


@dataclass(frozen=True)
class Batch:
    """Some rows of a file.

    Attributes:
        rows: with their places in their file.
        outside: rows left out, as they are of a subreddit or time that was not asked for.
        units: how much of the source was read for this batch, in its units (bytes).
        mark: where another reading can begin that is to have neither these rows nor those before;
            None where none can.
    """

    rows: Rows
    outside: int
    units: int
    mark: Mark | None = None


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

    def same(self) -> str | None:
        """A text that is equal where the same is to be read in the same way, whatever the present.

        None where reading can't begin at a mark.
        """
        ...

    def batches(self, as_of: datetime, begin: Mark = START) -> Generator[Batch, None, None]:
        """Reads it, as of a moment.

        Args:
            begin: where, as an earlier reading of the same (see `same`) had marked it.

        Raises:
            InputError: while iterating, when it can't be read any further; the batches before
                that are good.
        """
        ...


class Several:
    """Several sources, read one after the other."""

    def __init__(self, sources: Sequence[PostSource]) -> None:
        self._sources = sources
        more = f" and {len(sources) - 1:,} more" if len(sources) > 1 else ""
        self.name = sources[0].name + more
        self.size = sum(source.size for source in sources)

    def same(self) -> str | None:
        """See `PostSource`; tables are read from their start."""
        return None

    def batches(self, as_of: datetime, begin: Mark = START) -> Generator[Batch, None, None]:
        """Reads them; see `PostSource`."""
        for source in self._sources:
            yield from source.batches(as_of)


def unstated(path: Path, as_of: datetime, settled: bool, scores_as_of: datetime | None) -> Unstated:
    """The rule for a file's scores that do not say when they were observed.

    The user may state the time (`scores_as_of`); the score then counts for the age that the post
    had. Otherwise it is only certain that the file was last written afterwards: the observation is
    dated by the file, and gives a label only if `settled`.
    """
    if scores_as_of is not None:
        return Unstated(scores_as_of, settled=True)
    if path == STDIN:
        return Unstated(as_of, settled)
    written = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    return Unstated(min(written, as_of), settled)
