"""Requested posts of a dump, and the lines that are certain not to hold one, told without parsing.

A month of Reddit is hundreds of gigabytes of JSON, of which few lines are asked for. A line is left
out from its bytes alone only where no post in it can be asked for, however its JSON is written; any
other is parsed. So what is kept is what parsing every line would keep.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from mmrl.sources.submission import REDDIT_BEGAN
from mmrl.times import microseconds_of

_KEY = b'"subreddit":'
_TIME_KEY = b'"created_utc"'
_TIME = re.compile(rb'"created_utc":\s*"?(\d{9,10})(?:\.0*)?"?\s*[,}]')
# JSON may write any sign as an escape. These stand for NUL, which is taken out of texts, and for
# letters, digits and signs of ASCII: they may hide a name or a key.
_HIDING = re.compile(rb"\\u00[0-7]")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_NAME = re.compile(r"/?(?:r/)?([A-Za-z0-9_-]+)")
_BEGAN = REDDIT_BEGAN.timestamp()
_NAMES = 10_000  # subreddits that are counted by name
_NAME_BYTES = 64  # of a name, as it is counted: Reddit's have 21 characters, a user's page 22


@dataclass(frozen=True)
class Asked:
    """What is asked for.

    Attributes:
        subreddits: their names, `folded`; all where there are none.
        after, before: only posts created at or after, and before, these times.
    """

    subreddits: frozenset[str] = frozenset()
    after: datetime | None = None
    before: datetime | None = None

    def wants(self, subreddit: str, created: int) -> bool:
        """Whether a post is asked for.

        Args:
            created: when it went up, in microseconds since 1970.
        """
        return (
            (not self.subreddits or folded(subreddit) in self.subreddits)
            and (self.after is None or created >= microseconds_of(self.after))
            and (self.before is None or created < microseconds_of(self.before))
        )

    def other_subreddit(self, submission: object) -> str | None:
        """The name of another subreddit that a parsed object states plainly; None otherwise.

        One that is wrapped states it inside.
        """
        if not self.subreddits or not isinstance(submission, dict):
            return None
        name = None if isinstance(submission.get("data"), dict) else submission.get("subreddit")
        plain = _PLAIN_NAME.fullmatch(name) if isinstance(name, str) else None
        return None if plain is None or folded(plain[1]) in self.subreddits else plain[1]


@dataclass
class Seen:
    """Posts that were met, asked for or not: how many, and of which subreddits.

    Attributes:
        names: the first so many subreddits; the frequent ones are among them.
    """

    posts: int = 0
    names: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, posts: int = 1) -> None:
        """Counts posts of a subreddit."""
        self.posts += posts
        name = name[:_NAME_BYTES]
        if name in self.names or len(self.names) < _NAMES:
            self.names[name] += posts

    def update(self, other: "Seen") -> None:
        """Counts what another has counted."""
        for name, posts in other.names.items():
            self.add(name, posts)
        self.posts += other.posts - other.names.total()


class Sieve:
    """Leaves out lines that can't hold what is asked for."""

    def __init__(self, asked: Asked) -> None:
        self._left_out: list[bytes] = []  # the subreddit of each
        parts = {_part(name) for name in asked.subreddits}
        self._names = None if None in parts else [part for part in parts if part is not None]
        self._after = None if asked.after is None else asked.after.timestamp()
        self._before = None if asked.before is None else asked.before.timestamp()
        self._dated = self._after is not None or self._before is not None

    def leaves_out(self, line: bytes) -> bool:
        """Whether no post of a line, or document, can be asked for; told without parsing it.

        A line that names no subreddit and no time is not left out: it is no post, which is said.
        """
        name = self._other_name(line) if self._names else None
        if name is None and not (self._dated and self._of_other_times(line)):
            return False
        if _HIDING.search(line):
            return False
        self._left_out.append(name or _name(line) or b"")
        return True

    def seen(self) -> Seen:
        """The posts in the lines that were left out."""
        seen = Seen()
        for name, posts in Counter(self._left_out).items():
            seen.add(name.decode("utf-8", "replace"), posts)
        return seen

    def _other_name(self, line: bytes) -> bytes | None:
        """A name in a line in which none of those asked for is, in whatever place."""
        lowered = line.lower()
        for name in self._names or ():
            if name in lowered:
                return None
        return _name(line)

    def _of_other_times(self, line: bytes) -> bool:
        """True where all times of creation in a line are plain seconds, and none is asked for."""
        times = list(map(int, _TIME.findall(line)))
        return (
            len(times) == line.count(_TIME_KEY) > 0
            and min(times) >= _BEGAN
            and all(
                (self._after is not None and time < self._after)
                or (self._before is not None and time >= self._before)
                for time in times
            )
        )


def folded(name: str) -> str:
    """A subreddit's name without upper case; no sign beyond ASCII becomes one of it."""
    lowered = name.lower()
    return lowered if lowered.isascii() == name.isascii() else name


def _part(name: str) -> bytes | None:
    """The longest part of a name that stands in a line as it is, however the line is written.

    Other signs may be escapes or entities there; `u_NAME` may be written as `u/NAME`. None where
    the name has no such part.
    """
    if not name.isascii():
        return None
    parts = _PLAIN.findall(name.removeprefix("u_"))
    return max(parts, key=len).encode() if parts else None


def _name(line: bytes) -> bytes | None:
    """The first subreddit that a line names in the way that dumps do."""
    begin = line.find(_KEY)
    if begin < 0:
        return None
    begin += len(_KEY)
    quote = line.find(b'"', begin, begin + 2)  # there may be a blank before it
    if quote < 0:
        return None
    end = line.find(b'"', quote + 1)
    return line[quote + 1 : min(end, quote + 1 + _NAME_BYTES)]
