"""Posts as every source gives them: parsed with an observation of their score, or refused."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mmrl.catalog.reasons import Reason


@dataclass(frozen=True)
class Unstated:
    """The rule for a score whose object does not state when it was observed.

    Attributes:
        at: the time to record the observation under; the latest at which it can have been made.
        settled: whether the score is trusted for the age that the post had then.
    """

    at: datetime
    settled: bool


@dataclass(frozen=True)
class Parsed:
    """A post, and the observation of its score; None where the object has no score.

    Attributes:
        post, observation: rows of the catalog's `posts` and `observations`.
        stated: whether the object itself states when its score was observed.
        dropped: names of values that were left out, as they can't be used and no label needs them.
        first: what the object tells of an earlier observation, whose score it no longer has.
        extras: its extra features by name, see `mmrl.sources.extras`.
    """

    post: dict[str, Any]
    observation: dict[str, Any] | None
    stated: bool
    dropped: tuple[str, ...] = ()
    first: dict[str, Any] | None = None
    extras: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """An object that is no post that can be used, and why.

    Attributes:
        field: the name of the value that is to blame, with which `detail` begins; "" for none.
    """

    reason: Reason
    detail: str
    field: str = ""
