"""A post as every source gives it, and what its scores are worth."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mmrl.catalog.reasons import Reason


@dataclass(frozen=True)
class Unstated:
    """What holds for a score whose object does not say when it was looked at.

    Attributes:
        at: the time to record the look under; the latest at which it can have been.
        settled: may the score be trusted for the age the post had then?
    """

    at: datetime
    settled: bool


@dataclass(frozen=True)
class Parsed:
    """A post, and the look at its score; None where the object has no score.

    Attributes:
        post, look: rows of the catalog's `posts` and `observations`.
        stated: did the object itself say when its score was looked at?
    """

    post: dict[str, Any]
    look: dict[str, Any] | None
    stated: bool


@dataclass(frozen=True)
class Refused:
    """An object that is no post that can be used, and why."""

    reason: Reason
    detail: str
