"""Blocks of a dump's lines, read into posts: what every process that reads a dump does."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from mmrl.catalog.reasons import Reason
from mmrl.sources.files.dumps.asked import Asked, Seen, Sieve
from mmrl.sources.files.dumps.json_content import Block, json_lines, submissions
from mmrl.sources.files.rows import Gathered, Rows
from mmrl.sources.files.source import BATCH
from mmrl.sources.plain import read_plain
from mmrl.sources.post import Refused, Unstated
from mmrl.sources.submission import CLOCKS_DIFFER, parse_submission
from mmrl.times import microseconds_of


@dataclass(frozen=True)
class Reading:
    """How the lines of a file are read.

    Attributes:
        asked: what is asked for.
        source: the value of `posts.source`.
        as_of: the present.
        unstated: the rule for scores that do not say when they were observed.
    """

    asked: Asked
    source: str
    as_of: datetime
    unstated: Unstated


@dataclass(frozen=True)
class Part:
    """What some lines of a block came to.

    Attributes:
        rows: their places count lines from the block's first.
        text: bytes of their lines.
        outside: posts that were not asked for.
        seen: all posts of the lines.
        lines: those of the whole block; 0 where more parts of it follow.
    """

    rows: Rows = field(default_factory=Rows)
    text: int = 0
    outside: int = 0
    seen: Seen = field(default_factory=Seen)
    lines: int = 0


def read_block(block: Block, reading: Reading, *, first: bool) -> Iterator[Part]:
    """Reads a block, in parts of bounded size; the last one says how many lines there were.

    Args:
        first: the block is its file's first.
    """
    sieve = Sieve(reading.asked)
    part = _Part(reading)
    count, lines = json_lines(block, first=first)
    for number, line in lines:
        if isinstance(line, Refused):
            part.rows.add(str(number), line)
        elif sieve.leaves_out(line):
            part.outside += 1
            continue
        else:
            part.take(number, line)
        if len(part.rows) >= BATCH:
            yield part.ended()
            part = _Part(reading)
    part.seen.update(sieve.seen())
    yield part.ended(count)


class _Part:
    """A part as it is read.

    Attributes:
        rows: those that are asked for, or refused.
        outside: how many posts are not asked for.
        seen: all posts but those in the rows.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._latest = microseconds_of(reading.as_of + CLOCKS_DIFFER)
        self._text = 0
        self.rows = Gathered()
        self.outside = 0
        self.seen = Seen()

    def take(self, number: int, line: bytes) -> None:
        """Takes the posts of one line, or document."""
        self._text += len(line)
        try:
            posts = submissions(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            self.rows.add(str(number), Refused(Reason.NOT_A_POST, f"not JSON: {error}"))
            return
        if len(posts) == 1:
            self._take(str(number), posts[0])
            return
        for place, one in enumerate(posts, start=1):
            self._take(f"{number}.{place}", one)

    def ended(self, lines: int = 0) -> Part:
        """The part, with the lines of the whole block where it is the last one."""
        rows = self.rows.rows()
        for name, posts in Counter(rows.posts["subreddit"].to_pylist()).items():
            self.seen.add(name, posts)
        return Part(rows, self._text, self.outside, self.seen, lines)

    def _take(self, place: str, submission: Any) -> None:
        reading = self._reading
        other = reading.asked.other_subreddit(submission)
        if other is not None:
            self._leave(other)
            return
        plain = read_plain(submission, reading.source, self._latest)
        if plain is not None:
            if reading.asked.wants(plain.subreddit, plain.created):
                self.rows.add_values(place, plain.post, plain.observation, stated=True)
            else:
                self._leave(plain.subreddit)
            return
        parsed = parse_submission(
            submission, source=reading.source, as_of=reading.as_of, unstated=reading.unstated
        )
        if isinstance(parsed, Refused) or reading.asked.wants(
            parsed.post["subreddit"], microseconds_of(parsed.post["created_at"])
        ):
            self.rows.add(place, parsed)
        else:
            self._leave(parsed.post["subreddit"])

    def _leave(self, subreddit: str) -> None:
        self.seen.add(subreddit)
        self.outside += 1
