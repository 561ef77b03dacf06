"""Retry policies: which failures are tried again, how often, and how long to wait in between.

All of mmrl's policies for requests stand here, so that a change of one is a change of one line. A
caller asks its policy and does the waiting itself. Bounds of commits that meet each other, and of
the object store's own client, stand where they are set.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

_DOUBLINGS = 40  # more than any policy needs to reach its longest wait


@dataclass(frozen=True)
class Retry:
    """Policy by which one kind of work is tried again.

    Attributes:
        first_wait: seconds after the first failure.
        longest_wait: seconds that no wait exceeds, whatever the attempt.
        attempts: tries in all; without a number where the caller has another bound, or none.
        statuses: HTTP statuses that may pass.
        growth: `doubling` waits are first, 2 first, 4 first, ...; `linear` ones first, 2 first,
            3 first, ...
        sure: the part of a wait that is not random. 0 is "full jitter" and 0.5 "equal jitter" of
            Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; 1 is a
            wait without jitter.
        longest_asked: the most seconds that a server's Retry-After is followed for.
    """

    first_wait: float
    longest_wait: float
    attempts: int = sys.maxsize
    statuses: frozenset[int] = frozenset()
    growth: Literal["doubling", "linear"] = "doubling"
    sure: float = 1.0
    longest_asked: float = 0.0

    def wait(self, attempt: int, jitter: float = 1.0) -> float:
        """Seconds between the failure of an attempt, counted from 1, and the next attempt.

        For an attempt 0, which is none, a linear policy does not wait.

        Args:
            jitter: a random number from 0 to 1; 1 gives the longest wait for this attempt.
        """
        steps = 2 ** min(attempt - 1, _DOUBLINGS) if self.growth == "doubling" else attempt
        limit = min(self.first_wait * steps, self.longest_wait)
        return limit * (self.sure + (1 - self.sure) * jitter)

    def retries(self, status: int) -> bool:
        """True where an answer with this HTTP status is worth another attempt."""
        return status in self.statuses

    def exhausted(self, attempt: int) -> bool:
        """True where this attempt, counted from 1, was the last one."""
        return attempt >= self.attempts


# Timed out, too early, too many requests, and all of the server's own faults.
_BUSY = frozenset({408, 425, 429, *range(500, 600)})

# Timed out, or the server, or what stands in front of it, is away for a while.
_AWAY = frozenset({408, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 529})

# One request to Reddit; bounded by the transport's patience. A 429 pauses all processes instead.
REDDIT = Retry(
    first_wait=1.0,
    longest_wait=60.0,
    statuses=_AWAY,
    sure=0.5,
    longest_asked=600.0,
)
# One request to Arctic Shift; bounded by the transport's patience. It may be away for hours.
ARCTIC_SHIFT = Retry(
    first_wait=2.0,
    longest_wait=120.0,
    statuses=_AWAY,
    sure=0.5,
    longest_asked=3_600.0,
)
# A request that took Arctic Shift too long, before a smaller one.
ARCTIC_SHIFT_SLOWER = Retry(first_wait=2.0, longest_wait=30.0)
# A refused token, replaced before the credentials are to blame.
REDDIT_TOKENS = Retry(first_wait=0.0, longest_wait=0.0, attempts=4)
# One kind of the collector's work, while the others go on.
COLLECTOR = Retry(first_wait=2.0, longest_wait=60.0, sure=0.75)
# One image within one run; `images.attempts` sets the attempts.
IMAGES = Retry(
    first_wait=0.5, longest_wait=8.0, attempts=4, statuses=_BUSY, sure=0.0, longest_asked=30.0
)
# One caption within one run; `caption_server.attempts` sets the attempts. Half of each wait is
# sure: the server's rate limits want some wait.
CAPTIONS = Retry(
    first_wait=1.0, longest_wait=30.0, attempts=6, statuses=_BUSY, sure=0.5, longest_asked=60.0
)
# A file of the model hub; attempts in a row without a byte gained.
HUB = Retry(
    first_wait=1.0,
    longest_wait=5.0,
    attempts=5,
    statuses=frozenset({408, 429, 500, 502, 503, 504}),
    growth="linear",
)
# What a stage failed on, tried again by later runs: given up after about a month.
FAILURES = Retry(first_wait=600.0, longest_wait=86_400.0, attempts=40)
# One conditional put to an object store whose answer was lost, beyond what its client tries again.
OBJECTS = Retry(first_wait=0.2, longest_wait=2.0, attempts=4, sure=0.5)
# A table's files written anew while other processes commit to the table.
PURGE_FILES = Retry(first_wait=0.1, longest_wait=2.0, attempts=60, growth="linear", sure=0.2)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer's Retry-After asks for; None where it has none that can be read.

    A date is counted from the answer's own Date, so that no clock of ours need be right.

    Args:
        headers: with lower-case names, or found in any case.
    """
    asked = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", asked):
        return float(asked)
    try:
        until, now = (parsedate_to_datetime(text) for text in (asked, headers.get("date", "")))
    except ValueError:
        return None
    until, now = (time if time.tzinfo else time.replace(tzinfo=UTC) for time in (until, now))
    return max(0.0, (until - now).total_seconds())
