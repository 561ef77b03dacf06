"""Dumps of Pushshift and Arctic Shift, and what other tools and APIs give of posts as JSON."""

import json
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from io import UnsupportedOperation
from pathlib import Path

from mmrl.errors import InputError
from mmrl.runtime.foreign_text import shown
from mmrl.sources.files.content import STDIN, existing, file_name, file_size
from mmrl.sources.files.dumps.asked import Asked, Seen, folded
from mmrl.sources.files.dumps.block import Part, Reading
from mmrl.sources.files.dumps.processes import cores, read_beside
from mmrl.sources.files.dumps.reading import Plan, Reached, read_here
from mmrl.sources.files.rows import Rows
from mmrl.sources.files.source import BATCH, BATCH_BYTES, START, Batch, Mark, unstated
from mmrl.sources.kinds import DUMP
from mmrl.version import __version__

_NAMED = 5  # subreddits named when none matches
_OUTSIDE = 100_000  # lines left out between two advances of the progress
_UNCOMMITTED = (
    1 << 32
)  # bytes of text that are read between two commits, however few rows they have
_LARGE = 1 << 24  # bytes on disk that are worth the start of other processes
_BEGINNING = 1 << 16  # bytes that tell a file from another of its name, size and time


class DumpSource:
    """One or more dump files, read one after the other.

    Args:
        paths: files with an object a line, or one document each; `-` is standard input.
        subreddits: only posts of these (upper and lower case are one); all by default.
        after, before: only posts created at or after, and before, these times.
        settled: scores that do not say when they were observed are final (Pushshift and Arctic
            Shift do say it, so this is for other files).
        scores_as_of: when such scores were observed, if known.

    Raises:
        InputError: a file is missing, or the times contradict each other.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        subreddits: Sequence[str] = (),
        after: datetime | None = None,
        before: datetime | None = None,
        settled: bool = False,
        scores_as_of: datetime | None = None,
    ) -> None:
        self.paths = [existing(Path(path)) for path in paths]
        self.name = _named(self.paths)
        self.size = sum(map(file_size, self.paths))
        if after is not None and before is not None and after >= before:
            raise InputError(
                f"--after {after.isoformat()} is not before --before {before.isoformat()}: "
                "no post can be in between."
            )
        self.subreddits = [name.strip().removeprefix("/").removeprefix("r/") for name in subreddits]
        self._asked = Asked(frozenset(map(folded, self.subreddits)), after, before)
        self._settled, self._scores_as_of = settled, scores_as_of
        self._seen = Seen()

    @classmethod
    def of_file(
        cls, path: Path, *, subreddit: str | None = None, images: Path | None = None
    ) -> "DumpSource":
        """One dump, of one subreddit or of all; it names no image files."""
        return cls([path], subreddits=[subreddit] if subreddit else [])

    def scores_rule(self) -> str:
        """The rule for scores without a time, as a sentence for the user."""
        if self._scores_as_of is not None:
            return f"Scores without a time were observed on {self._scores_as_of:%Y-%m-%d}."
        if self._settled:
            return "Scores without a time count as final (--settled)."
        return (
            "Scores without a time give no label: --settled if they are final, "
            "--scores-as-of DATE if you know when they were taken."
        )

    def same(self) -> str | None:
        """See `PostSource`; None where standard input is read."""
        if STDIN in self.paths:
            return None
        files = []
        for path in self.paths:
            facts = path.stat()
            with path.open("rb") as file:
                beginning = sha256(file.read(_BEGINNING)).hexdigest()
            files.append([path.name, facts.st_size, facts.st_mtime_ns, beginning])
        asked = [sorted(self._asked.subreddits), str(self._asked.after), str(self._asked.before)]
        told = json.dumps([__version__, files, asked, self._settled, str(self._scores_as_of)])
        return sha256(told.encode()).hexdigest()[:32]

    def batches(self, as_of: datetime, begin: Mark = START) -> Generator[Batch, None, None]:
        """Reads the files in batches; see `PostSource`."""
        self._seen = Seen()
        plan = Plan(tuple((path, self._reading(path, as_of)) for path in self.paths), begin)
        beside = cores() > 1 and self._is_large(begin)
        gathered = _Gathered(self.paths, begin)
        broken: InputError | None = None
        with closing(read_beside(plan) if beside else read_here(plan)) as results:
            while True:
                try:
                    part, reached = next(results)
                except StopIteration:
                    break
                except InputError as error:  # what came before the break is good
                    broken = error
                    break
                self._seen.update(part.seen)
                yield from gathered.add(part, reached)
        yield gathered.rest(to_end=broken is None)
        if broken is not None:
            raise broken
        if not gathered.met:
            raise InputError(self._nothing(goes_on=begin is not START))

    def _reading(self, path: Path, as_of: datetime) -> Reading:
        rule = unstated(path, as_of, self._settled, self._scores_as_of)
        return Reading(self._asked, DUMP.mark(path), as_of, rule)

    def _is_large(self, begin: Mark) -> bool:
        """Whether what is to be read is worth other processes; nobody knows of standard input."""
        if STDIN not in self.paths:
            return self.size - begin.units >= _LARGE
        try:
            sys.stdin.fileno()
        except (UnsupportedOperation, ValueError):  # it was exchanged for something of this process
            return False
        return True

    def _nothing(self, *, goes_on: bool) -> str:
        """The reason why no post was read, as a sentence for the user."""
        if not self._seen.posts and not goes_on:
            return (
                f"No post could be read from {self.name}: expected Reddit submissions as JSON, "
                "one a line or a list (the dumps' RS_ files, not RC_, which are comments)."
            )
        most = ", ".join(
            f"{shown(name)} ({n:,})" for name, n in self._seen.names.most_common(_NAMED)
        )
        asked = "r/" + ", r/".join(self.subreddits) if self.subreddits else "any subreddit"
        when = "".join(
            f" {word} {time:%Y-%m-%d %H:%M}"
            for word, time in (("after", self._asked.after), ("before", self._asked.before))
            if time is not None
        )
        rest = "the rest of its" if goes_on else "its"
        others = f"; of {rest} {self._seen.posts:,} posts, most are of {most}" if most else ""
        return (
            f"{self.name} holds no post of {asked}{when}{others}: check --subreddit, --after and "
            "--before."
        )


class _Gathered:
    """Rows gathered into batches, with their places.

    Attributes:
        met: a post that was asked for was met.
    """

    def __init__(self, paths: Sequence[Path], begin: Mark) -> None:
        self._paths = paths
        self._before = [0]  # bytes of the files before each
        for path in paths:
            self._before.append(self._before[-1] + file_size(path))
        self._mark, self._ended = begin, True  # the end of the last whole block; nothing follows it
        self._rows: list[Rows] = []
        self._count = 0  # of rows
        self._outside = self._held = self._text = 0
        self._told = begin.units
        self.met = begin.found

    def add(self, part: Part, reached: Reached) -> Iterator[Batch]:
        """Takes rows; gives the batches that are full."""
        if self._count and self._count + len(part.rows) > BATCH:
            yield self._batch()
        if reached.file != self._mark.file:
            self._mark = Mark(reached.file, units=self._before[reached.file], found=self.met)
        if len(part.rows):
            name = file_name(self._paths[reached.file])
            self._rows.append(part.rows.at(name, self._mark.line))
            self._count += len(part.rows)
            self.met = self.met or part.rows.posts.num_rows > 0
        self._outside += part.outside
        self._held += part.text
        self._ended = part.lines > 0
        if self._ended:
            self._text += reached.text - self._mark.text
            self._mark = Mark(
                reached.file,
                self._mark.line + part.lines,
                reached.text,
                reached.entry,
                self._before[reached.file] + reached.read,
                self.met,
            )
        full = self._count >= BATCH or self._held >= BATCH_BYTES
        if full or (self._count and self._text >= _UNCOMMITTED):
            yield self._batch()
        elif self._outside >= _OUTSIDE:
            yield self._batch(progress=True)

    def rest(self, *, to_end: bool) -> Batch:
        """The last batch; what the files have behind their lines counts as read, too."""
        if to_end:
            units = max(self._mark.units, self._before[-1])
            self._mark = replace(self._mark, units=units)
        return self._batch()

    def _batch(self, *, progress: bool = False) -> Batch:
        """The rows so far; for progress alone only what was left out, unless there are no rows."""
        kept = progress and self._count > 0
        rows = Rows() if progress else Rows.joined(self._rows)
        mark = self._mark if self._ended and not kept else None
        batch = Batch(rows, self._outside, self._mark.units - self._told, mark)
        self._outside, self._told = 0, self._mark.units
        if not kept:
            self._rows = []
            self._count = self._held = self._text = 0
        return batch


def _named(paths: Sequence[Path]) -> str:
    """The files in a few words."""
    names = [file_name(path) for path in paths[:_NAMED]]
    more = len(paths) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")
