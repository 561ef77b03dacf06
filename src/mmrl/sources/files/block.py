"""Blocks of a dump's lines, read into posts: what every process that reads a dump does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from mmrl.catalog.reasons import Reason
from mmrl.sources.files.asked import Asked, Seen, Sieve
from mmrl.sources.files.json_content import Block, json_lines, submissions
from mmrl.sources.files.source import BATCH
from mmrl.sources.post import Parsed, Refused, Unstated
from mmrl.sources.submission import parse_submission


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


@dataclass
class Part:
    """What some lines of a block came to.

    Attributes:
        rows: the number of each one's line in the block; its place in that line's list, from 1, or
            0 where the line holds one object; the row.
        text: bytes of their lines.
        outside: posts that were not asked for.
        seen: all posts of the lines.
        lines: those of the whole block; 0 where more parts of it follow.
    """

    rows: list[tuple[int, int, Parsed | Refused]] = field(default_factory=list)
    text: int = 0
    outside: int = 0
    seen: Seen = field(default_factory=Seen)
    lines: int = 0


def read_block(block: Block, reading: Reading, *, first: bool) -> Iterator[Part]:
    """Reads a block, in parts of bounded size; the last one says how many lines there were.

    Args:
        first: the block is its file's first.
    """
    asked = reading.asked
    sieve = Sieve(asked)
    part = Part()
    count, lines = json_lines(block, first=first)
    for number, line in lines:
        if isinstance(line, bytes) and sieve.leaves_out(line):
            part.outside += 1
            continue
        results = [line] if isinstance(line, Refused) else _posts(line, reading, part.seen)
        for place, result in enumerate(results, start=1):
            if result is None:
                part.outside += 1
            else:
                part.rows.append((number, place if len(results) > 1 else 0, result))
        part.text += 0 if isinstance(line, Refused) else len(line)
        if len(part.rows) >= BATCH:
            yield part
            part = Part()
    part.seen.update(sieve.seen())
    part.lines = count
    yield part


def _posts(line: bytes, reading: Reading, seen: Seen) -> Sequence[Parsed | Refused | None]:
    """The posts of one line, or document; None for each that was not asked for."""
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return [Refused(Reason.NOT_A_POST, f"not JSON: {error}")]
    return [_post(one, reading, seen) for one in submissions(parsed)]


def _post(submission: Any, reading: Reading, seen: Seen) -> Parsed | Refused | None:
    other = reading.asked.other_subreddit(submission)
    if other is not None:
        seen.add(other)
        return None
    result = parse_submission(
        submission, source=reading.source, as_of=reading.as_of, unstated=reading.unstated
    )
    if isinstance(result, Refused):
        return result
    seen.add(result.post["subreddit"])
    return result if reading.asked.wants(result.post) else None
