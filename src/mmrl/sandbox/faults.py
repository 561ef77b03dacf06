"""Faults that are switched on: each with its probability, drawn from a seed."""

import threading
from random import Random
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal[
    "too_many",
    "too_many_unsaid",
    "server_error",
    "reset",
    "cut",
    "slow",
    "expired_token",
    "garbled",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Faults(BaseModel):
    """The faults in force.

    Probabilities are per request; `next` names faults that the next requests meet for certain,
    before any chance is drawn.
    """

    model_config = ConfigDict(extra="forbid")

    too_many: float = Field(default=0, ge=0, le=1, description="429 with Retry-After")
    too_many_unsaid: float = Field(default=0, ge=0, le=1, description="429 without it")
    server_error: float = Field(default=0, ge=0, le=1, description="500, 502 or 503")
    reset: float = Field(default=0, ge=0, le=1, description="the connection is closed, no answer")
    cut: float = Field(default=0, ge=0, le=1, description="the answer ends in its middle")
    slow: float = Field(default=0, ge=0, le=1, description="the answer comes late")
    expired_token: float = Field(default=0, ge=0, le=1, description="401: the token has expired")
    garbled: float = Field(default=0, ge=0, le=1, description="200 with a page that is no JSON")
    slow_seconds: float = Field(default=20, ge=0)
    retry_after_seconds: int = Field(default=1, ge=0)
    duplicates: float = Field(default=0, ge=0, le=1, description="a listed post comes twice")
    suspended: float = Field(default=0, ge=0, le=1, description="share of authors suspended")
    held_back: float = Field(
        default=0, ge=0, le=1, description="share of posts that show only after a while"
    )
    held_back_seconds: float = Field(default=600, ge=0, description="how long they don't show")
    outage_from: float | None = Field(default=None, description="simulated epoch seconds")
    outage_until: float | None = None
    timeouts: float = Field(
        default=0, ge=0, le=1, description="the archive answers large requests with 422"
    )
    timeout_over: int = Field(default=0, ge=0, description="requests for more posts are large")
    capacity: int = Field(default=1_000, ge=100, le=1_000, description="of the limit `auto`")
    late: float = Field(default=0, ge=0, le=1, description="share of posts archived late")
    late_seconds: float = Field(default=3_600, ge=0, description="how late at most")
    second_late: float = Field(default=0, ge=0, le=1, description="share retrieved again late")
    second_late_seconds: float = Field(default=6 * 3_600, ge=0, description="how late at most")
    archive_away_from: float | None = Field(
        default=None, description="the archive retrieves nothing: simulated epoch seconds"
    )
    archive_away_until: float | None = None
    changed: float = Field(
        default=0, ge=0, le=1, description="share of archived posts whose values have other forms"
    )
    private: list[str] = []
    banned: list[str] = []
    renamed: dict[str, str] = {}
    images: bool = Field(default=False, description="images meet these faults too")
    next: list[Kind] = []
    seed: int = 0


class Misfortune:
    """Draws which fault a request meets; requests may come from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.set(Faults())

    def set(self, faults: Faults) -> None:
        """Puts other faults in force and starts the dice anew."""
        with self._lock:
            self.faults = faults
            self._dice = Random(f"mmrl faults {faults.seed}")
            self._next = list(faults.next)

    def meets(self, now: float) -> Kind | None:
        """The fault of this request, if any."""
        with self._lock:
            faults = self.faults
            if faults.outage_from is not None and faults.outage_from <= now < (
                float("inf") if faults.outage_until is None else faults.outage_until
            ):
                return "server_error"
            if self._next:
                return self._next.pop(0)
            for kind in KINDS:
                if self._dice.random() < getattr(faults, kind):
                    return kind
            return None

    def server_error(self) -> int:
        """The status of a server error: 500, 502 or 503."""
        with self._lock:
            return self._dice.choice((500, 502, 503))

    def luck(self) -> Random:
        """Dice for one request to the archive."""
        with self._lock:
            return Random(self._dice.getrandbits(64))

    def doubles(self) -> bool:
        """True where this listed post comes twice."""
        with self._lock:
            return self._dice.random() < self.faults.duplicates

    def held_back(self, post_id: str, age: float) -> bool:
        """True where this post does not show yet at this age; it shows later, in its old place."""
        faults = self.faults
        if age >= faults.held_back_seconds or not faults.held_back:
            return False
        return Random(f"{post_id} held {faults.seed}").random() < faults.held_back

    def suspended(self, author_id: str) -> bool:
        """True for a suspended account; the same answer each time."""
        return Random(f"{author_id}{self.faults.seed}").random() < self.faults.suspended
