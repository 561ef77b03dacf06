"""The protocol of live sources: asked over the network for new posts, and for posts as they age.

The collector drives any of them: cursors, gaps, observations, writing and status are its own. A
source says by its `Traits` what it can do, and what it can't know.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from mmrl.sources.fields import text
from mmrl.sources.post import Parsed, Refused

Json = dict[str, Any]


class Unreachable(Exception):  # noqa: N818 - a finding about subreddits, not a fault
    """A listing that a source does not give: a private, banned, renamed or unknown subreddit."""


@dataclass(frozen=True)
class Author:
    """An account as a source shows it; None where it does not."""

    link_karma: int | None
    comment_karma: int | None
    created_at: datetime | None


@dataclass(frozen=True)
class Rules:
    """The rules of a subreddit, as its moderators wrote them.

    Attributes:
        subreddit: its name.
        text: a rule a line.
    """

    subreddit: str
    text: str


@dataclass(frozen=True)
class Traits:
    """The abilities and limits of a live source.

    Attributes:
        label: its name for people.
        mark: begins the names of its rows in `service` and `gaps`; empty for Reddit's.
        batch: ids that go into one request.
        together: subreddits in one listing.
        timed: places are times, which several posts may share; a gap is asked for by subreddit.
        reach: posts that a listing is read back to; what lies further back becomes a gap.
        late: how long after its creation a post may come into a listing.
        check_every: time between two readings of a listing further back than polls go.
        settles_after: the age at which the source takes scores again, once; it knows none in
            between. None where every answer has the score of its moment.
        tells_closed: whether a subreddit is private, banned or not there.
        tells_rules: the rules of many subreddits in one request.
        recheck_after: the shortest time between two questions whether a post still stands.
        unknown: what it can't know, in words.
    """

    label: str
    mark: str
    batch: int
    together: int
    timed: bool
    reach: int
    late: timedelta
    check_every: timedelta
    settles_after: timedelta | None
    tells_closed: bool
    tells_rules: bool
    recheck_after: timedelta
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stretch:
    """A part of a gap that was asked for, its newest end.

    Attributes:
        answers: posts, a list for each request.
        bottom: every post at this place or above has been asked for.
    """

    answers: list[list[Json]]
    bottom: int


class LiveSource(Protocol):
    """A live source, connected.

    A post's *place* is a number that grows with the time of its creation: cursors and gaps are
    told in it. All requests raise SourceError where there is no answer, and ConfigError where
    credentials or settings are wrong.
    """

    traits: Traits

    @property
    def name(self) -> str:
        """The source as `posts.source` and `observations.source` name it."""
        ...

    @property
    def url(self) -> str:
        """The address of its server."""
        ...

    def place(self, post: Json) -> int | None:
        """The place of a post; None where it has none."""
        ...

    def newest(
        self, subreddits: Sequence[str], after: str | None = None, floor: int | None = None
    ) -> tuple[list[Json], str | None]:
        """A page of the newest posts, newest first, and where the next page begins.

        Args:
            floor: posts at lower places are not needed; a source may leave them out.

        Raises:
            Unreachable: the source does not show (one of) the subreddits.
        """
        ...

    def stretch(self, subreddits: Sequence[str], above: int, below: int) -> Stretch:
        """The newest posts whose place is above and below two others, in one request."""
        ...

    def posts(self, ids: Iterable[str]) -> Iterator[list[Json]]:
        """Posts by bare id, a list for each request; those that it does not show are absent."""
        ...

    def read(self, post: Json, as_of: datetime) -> Parsed | Refused:
        """A post of an answer that has just come."""
        ...

    def subreddits(self, fullnames: Iterable[str]) -> Iterator[list[Json]]:
        """Subreddits by fullname (`t5_...`), with their subscribers; a list for each request."""
        ...

    def about(self, names: Iterable[str]) -> Iterator[list[Json]]:
        """Subreddits by name, as far as one request tells of many."""
        ...

    def authors(self, ids: Iterable[str]) -> Iterator[dict[str, Author]]:
        """Accounts by bare id, a part for each request; nothing where it tells of none."""
        ...

    def rules(self, names: Sequence[str]) -> Iterator[list[Rules]]:
        """Rules of subreddits, a list for each request."""
        ...


def read_rules(subreddit: str, rules: Any) -> Rules:
    """A subreddit's rules as Reddit and its archives send them: objects with a name and a text."""
    lines = []
    for rule in rules if isinstance(rules, list) else []:
        if isinstance(rule, dict):
            parts = (text(rule.get("short_name")), text(rule.get("description")))
            lines.append(": ".join(" ".join(part.split()) for part in parts if part))
    return Rules(subreddit, "\n".join(line for line in lines if line))


def batches(values: Iterable[str], most: int) -> Iterator[list[str]]:
    """The values in lists of at most so many, each value once."""
    unique = list(dict.fromkeys(values))
    for start in range(0, len(unique), most):
        yield unique[start : start + most]
