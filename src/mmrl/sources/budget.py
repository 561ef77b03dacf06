"""Request budget shared by all processes of one client of a live source.

A source counts requests by client. `mmrl collect`, `mmrl observe` and `mmrl purge` share the limit
through a small file in the home: a process asks before each request, and notes when the answer
came. A request may be sent only if all of these hold:

* The limit a minute. Fewer requests than the limit are unanswered or were answered in the last
  60 seconds. A source counts a request at some time between its start and the end of its answer,
  so in no 60 seconds does it count more than the limit. The bound is strict, not an average.
* The limit a second, where the source asks for one; as strict.
* The source's own window. What it last stated as left (`X-Ratelimit-Remaining`, `-Reset`) is more
  than the requests on their way, and it is spent evenly over the time until the window ends.
* Priorities. Lower ones leave a part of the limit to higher ones, and come in smaller bursts.

A request of a killed process counts as unanswered for 90 seconds, then as answered.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import TypeVar
from uuid import uuid4

from mmrl.storage.opening import Storage

_MINUTE = 60.0
_UNSTATED = 60  # requests a minute until a source has stated its limit, unless told otherwise
_EPOCH = 1e9  # a reset that is larger is a time, not a number of seconds
_LOST = 90.0  # seconds without an answer, after which the process is taken as killed
_KEPT = 2 * _LOST  # seconds that requests are remembered
_Given = TypeVar("_Given")


class Priority(IntEnum):
    """The purpose of a request; the lower the number, the sooner it is sent."""

    DISCOVERY = 0
    OBSERVATIONS = 1
    FILL = 2
    PURGE = 3


# The part of the limit that each priority may use; the rest is left to higher ones.
_SHARE = {
    Priority.DISCOVERY: 1.0,
    Priority.OBSERVATIONS: 0.85,
    Priority.FILL: 0.6,
    Priority.PURGE: 0.4,
}
_BURST = 10.0  # seconds in which all but discovery use at most a third of their share of a minute


@dataclass(frozen=True)
class Ticket:
    """Leave to send one request now; to be handed to `answered` when its answer came, or failed."""

    number: int


@dataclass(frozen=True)
class BudgetState:
    """The used part of a client's budget.

    Attributes:
        used: requests that may have reached the source in the last 60 seconds.
        limit: the most in 60 seconds, from what the source stated; `stated` says whether it did.
        remaining: left of the source's window as last stated; None before.
        resets_in: seconds until that window ends.
    """

    used: int
    limit: int
    stated: bool
    remaining: float | None
    resets_in: float | None


@dataclass
class _Request:
    """A request that was sent; `finished` is when its answer came, None before."""

    number: int
    started: float
    finished: float | None = None


@dataclass
class _Spent:
    """What the file holds: requests, and the source's window as last stated.

    Attributes:
        total: what the source allows in one of its windows; None before it has stated that.
        paused_until: nobody asks before.
        written: a random word, so that no two processes ever write the same.
    """

    requests: list[_Request] = field(default_factory=list)
    newest: int = 0
    remaining: float | None = None
    total: float | None = None
    resets_at: float | None = None
    paused_until: float = 0.0
    written: str = ""

    @classmethod
    def read(cls, data: bytes | None) -> "_Spent":
        """What a file's bytes say; nothing spent where they can't be read: it was a minute's."""
        try:
            kept = json.loads(data or b"{}")
            kept["requests"] = [_Request(**request) for request in kept.get("requests", [])]
            return cls(**kept)
        except (ValueError, TypeError, AttributeError):
            return cls()

    def forget(self, now: float) -> None:
        """Drops what counts no more at `now`."""
        for request in self.requests:
            if request.finished is None and request.started < now - _LOST:
                request.finished = request.started + _LOST
        # What lies ahead was written before the machine's clock was set back.
        self.requests = [
            request
            for request in self.requests
            if (request.finished is None or request.finished >= now - _KEPT)
            and request.started <= now + _KEPT
        ]
        if self.paused_until > now + 2 * 3_600:
            self.paused_until = 0.0

    def recent(self, now: float, span: float) -> int:
        """Requests that are unanswered, or were answered in the last `span` seconds."""
        return sum(
            request.finished is None or request.finished > now - span for request in self.requests
        )

    def until_fewer(self, now: float, span: float, allowed: int) -> float:
        """Seconds until fewer than `allowed` requests fall into the last `span` seconds."""
        recent = self.recent(now, span)
        if recent < allowed:
            return 0.0
        answered = sorted(
            request.finished
            for request in self.requests
            if request.finished is not None and request.finished > now - span
        )
        place = recent - allowed
        return 1.0 if place >= len(answered) else max(answered[place] + span - now, 0.05)

    def answered(
        self, number: int, now: float, stated: tuple[float, float | None, float] | None
    ) -> None:
        """Notes an answer, with remaining, used and seconds to the reset where it told them."""
        for request in self.requests:
            if request.number == number:
                request.finished = now
        if stated is None:  # it may have been counted all the same
            self.remaining = None if self.remaining is None else self.remaining - 1
            return
        remaining, used, reset = stated
        self.total = None if used is None else remaining + used
        # Answers may come in another order than they were counted in.
        before = self.resets_at
        if before is not None and now < before and now + reset <= before + 5:
            remaining = min(remaining, self.remaining or 0.0)
        self.remaining, self.resets_at = remaining, now + reset


class Budget:
    """The budget of one client, shared through a file.

    Args:
        storage: of the home that holds the file.
        name: the file's, see `budget_name`; made where it does not exist.
        per_minute: the user's own limit, where lower than the source's.
        window_seconds: how long its windows are (its headers tell only what is left of one).
        per_second: the most in any second, whatever the source states; None for no such limit.
        unstated: the most in a minute until the source has stated its limit.
    """

    def __init__(
        self,
        storage: Storage,
        name: str,
        *,
        per_minute: int | None = None,
        window_seconds: float = 600.0,
        per_second: int | None = None,
        unstated: int = _UNSTATED,
    ) -> None:
        self._storage, self._name = storage, name
        self._cap = per_minute
        self._per_second = per_second
        self._unstated = unstated
        self._window = max(window_seconds, 1.0)

    def ask(self, priority: Priority, now: float) -> Ticket | float:
        """Leave to send a request at `now` (epoch seconds), or how many seconds to wait."""

        def ask(spent: _Spent) -> Ticket | float:
            spent.forget(now)
            wait = self._wait(spent, priority, now)
            if wait > 0:
                return wait
            spent.newest += 1
            spent.requests.append(_Request(spent.newest, now))
            return Ticket(spent.newest)

        return self._change(ask)

    def answered(self, ticket: Ticket, now: float, headers: Mapping[str, str] | None) -> None:
        """Notes an answer and what its headers say of the limit; None: none came."""
        stated = _stated(headers or {}, now)
        self._change(lambda spent: spent.answered(ticket.number, now, stated))

    def pause(self, until: float) -> None:
        """Nobody asks the source anything before this time: it answered 429."""

        def pause(spent: _Spent) -> None:
            spent.paused_until = max(spent.paused_until, until)

        self._change(pause)

    def state(self, now: float) -> BudgetState:
        """The part of the budget that is used now."""
        spent = _Spent.read(self._storage.read(self._name))
        spent.forget(now)
        resets_at = spent.resets_at
        left = None if resets_at is None or resets_at <= now else resets_at - now
        return BudgetState(
            spent.recent(now, _MINUTE),
            self._limit(spent.total),
            spent.total is not None,
            None if left is None else spent.remaining,
            left,
        )

    def _wait(self, spent: _Spent, priority: Priority, now: float) -> float:
        if spent.paused_until > now:
            return spent.paused_until - now
        limit = self._limit(spent.total)
        share = _SHARE[priority]
        allowed = max(1, math.floor(limit * share))
        if spent.resets_at is not None and spent.resets_at > now:
            left = spent.resets_at - now
            on_their_way = sum(request.finished is None for request in spent.requests)
            spendable = (spent.remaining or 0.0) - on_their_way
            spendable -= (1 - share) * (spent.total or 0) * min(left / self._window, 1)
            if spendable < 1:
                return min(left, 10.0)
            allowed = min(allowed, max(1, math.floor(spendable * _MINUTE / max(left, _MINUTE))))
        wait = spent.until_fewer(now, _MINUTE, allowed)
        if self._per_second is not None:
            wait = max(wait, spent.until_fewer(now, 1.0, self._per_second))
        if priority is not Priority.DISCOVERY:
            wait = max(wait, spent.until_fewer(now, _BURST, max(1, math.ceil(allowed / 3))))
        return wait

    def _limit(self, total: float | None) -> int:
        stated = self._unstated if total is None else max(1, int(total * _MINUTE / self._window))
        return stated if self._cap is None else min(stated, self._cap)

    def _change(self, note: Callable[[_Spent], _Given]) -> _Given:
        """Reads what is spent, notes something in it and writes it; no one comes between.

        Where there is only a wait to be told, nothing is written.
        """
        notes: list[_Given] = []

        def changed(data: bytes | None) -> bytes | None:
            spent = _Spent.read(data)
            notes.append(note(spent))
            if isinstance(notes[-1], float):
                return None
            spent.written = uuid4().hex
            return json.dumps(asdict(spent)).encode()

        self._storage.change(self._name, changed)
        return notes[-1]


def budget_name(client_id: str) -> str:
    """The name of a client's file; it holds a hash, so that it gives no credential away."""
    return f"budget-{hashlib.sha256(client_id.encode()).hexdigest()[:12]}.json"


def _stated(headers: Mapping[str, str], now: float) -> tuple[float, float | None, float] | None:
    """Remaining, used (where stated) and seconds to the reset; None where they are not told."""
    try:
        remaining, reset = (
            float(headers[f"X-Ratelimit-{name}"]) for name in ("Remaining", "Reset")
        )
        used = float(headers["X-Ratelimit-Used"]) if "X-Ratelimit-Used" in headers else None
    except (KeyError, ValueError):
        return None
    if not all(map(math.isfinite, (remaining, reset, used or 0.0))) or (used or 0.0) < 0:
        return None
    if reset > _EPOCH:
        reset = max((reset / 1_000 if reset > 1_000 * _EPOCH else reset) - now, 0.0)
    return None if reset < 0 else (max(remaining, 0.0), used, reset)
