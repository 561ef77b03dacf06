"""Request budget shared by all processes of one client of a live source.

A source counts requests by client. `mmrl collect`, `mmrl observe` and `mmrl purge` share the limit
through a small SQLite file: a process asks before each request, and notes when the answer came. A
request may be sent only if all of these hold:

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
import math
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from mmrl.runtime.location import Location

_MINUTE = 60.0
_UNSTATED = 60  # requests a minute until a source has stated its limit, unless told otherwise
_EPOCH = 1e9  # a reset that is larger is a time, not a number of seconds
_LOST = 90.0  # seconds without an answer, after which the process is taken as killed
_KEPT = 2 * _LOST  # seconds that requests are remembered


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


class Budget:
    """The budget of one client, shared through a file.

    Args:
        path: the file, see `budget_path`; made where it does not exist.
        per_minute: the user's own limit, where lower than the source's.
        window_seconds: how long its windows are (its headers tell only what is left of one).
        per_second: the most in any second, whatever the source states; None for no such limit.
        unstated: the most in a minute until the source has stated its limit.
    """

    def __init__(
        self,
        path: Path,
        *,
        per_minute: int | None = None,
        window_seconds: float = 600.0,
        per_second: int | None = None,
        unstated: int = _UNSTATED,
    ) -> None:
        self._path = path
        self._cap = per_minute
        self._per_second = per_second
        self._unstated = unstated
        self._window = max(window_seconds, 1.0)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connect()
        except sqlite3.DatabaseError:  # not a database (any more): what it held was a minute's
            path.unlink(missing_ok=True)
            self._connect()

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def ask(self, priority: Priority, now: float) -> Ticket | float:
        """Leave to send a request at `now` (epoch seconds), or how many seconds to wait."""
        with self._transaction() as database:
            self._forget(now)
            wait = self._wait(priority, now)
            if wait > 0:
                return wait
            row = database.execute(
                "INSERT INTO requests (started, priority) VALUES (?, ?)", (now, int(priority))
            )
            return Ticket(int(row.lastrowid or 0))

    def answered(self, ticket: Ticket, now: float, headers: Mapping[str, str] | None) -> None:
        """Notes an answer and what its headers say of the limit; None: none came."""
        stated = _stated(headers or {}, now)
        with self._transaction() as database:
            database.execute("UPDATE requests SET finished = ? WHERE id = ?", (now, ticket.number))
            if stated is None:  # it may have been counted all the same
                database.execute("UPDATE window SET remaining = remaining - 1")
                return
            remaining, used, reset = stated
            resets_at = now + reset
            before = database.execute("SELECT remaining, resets_at FROM window").fetchone()
            # Answers may come in another order than they were counted in.
            if before[1] is not None and now < before[1] and resets_at <= before[1] + 5:
                remaining = min(remaining, before[0])
            database.execute(
                "UPDATE window SET remaining = ?, total = ?, resets_at = ?",
                (remaining, None if used is None else stated[0] + used, resets_at),
            )

    def pause(self, until: float) -> None:
        """Nobody asks the source anything before this time: it answered 429."""
        with self._transaction() as database:
            database.execute("UPDATE window SET paused_until = max(paused_until, ?)", (until,))

    def state(self, now: float) -> BudgetState:
        """The part of the budget that is used now."""
        with self._transaction():
            self._forget(now)
            remaining, total, resets_at, _ = self._read_window()
            left = None if resets_at is None or resets_at <= now else resets_at - now
            return BudgetState(
                self._recent(now, _MINUTE),
                self._limit(total),
                total is not None,
                None if left is None else remaining,
                left,
            )

    def _wait(self, priority: Priority, now: float) -> float:
        remaining, total, resets_at, paused_until = self._read_window()
        if paused_until > now:
            return float(paused_until - now)
        limit = self._limit(total)
        share = _SHARE[priority]
        allowed = max(1, math.floor(limit * share))
        if resets_at is not None and resets_at > now:
            left = resets_at - now
            (on_their_way,) = self._database.execute(
                "SELECT count(*) FROM requests WHERE finished IS NULL"
            ).fetchone()
            spendable = remaining - on_their_way
            spendable -= (1 - share) * (total or 0) * min(left / self._window, 1)
            if spendable < 1:
                return float(min(left, 10.0))
            allowed = min(allowed, max(1, math.floor(spendable * _MINUTE / max(left, _MINUTE))))
        wait = self._until_fewer(now, _MINUTE, allowed)
        if self._per_second is not None:
            wait = max(wait, self._until_fewer(now, 1.0, self._per_second))
        if priority is not Priority.DISCOVERY:
            wait = max(wait, self._until_fewer(now, _BURST, max(1, math.ceil(allowed / 3))))
        return wait

    def _until_fewer(self, now: float, span: float, allowed: int) -> float:
        """Seconds until fewer than `allowed` requests fall into the last `span` seconds."""
        recent = self._recent(now, span)
        if recent < allowed:
            return 0.0
        finished = self._database.execute(
            "SELECT finished FROM requests WHERE finished > ? ORDER BY finished LIMIT 1 OFFSET ?",
            (now - span, recent - allowed),
        ).fetchone()
        return 1.0 if finished is None else max(float(finished[0]) + span - now, 0.05)

    def _recent(self, now: float, span: float) -> int:
        (count,) = self._database.execute(
            "SELECT count(*) FROM requests WHERE finished IS NULL OR finished > ?", (now - span,)
        ).fetchone()
        return int(count)

    def _limit(self, total: float | None) -> int:
        stated = self._unstated if total is None else max(1, int(total * _MINUTE / self._window))
        return stated if self._cap is None else min(stated, self._cap)

    def _read_window(self) -> tuple[float, float | None, float | None, float]:
        remaining, total, resets_at, paused_until = self._database.execute(
            "SELECT remaining, total, resets_at, paused_until FROM window"
        ).fetchone()
        return remaining or 0.0, total, resets_at, paused_until

    def _forget(self, now: float) -> None:
        self._database.execute(
            "UPDATE requests SET finished = started + ? WHERE finished IS NULL AND started < ?",
            (_LOST, now - _LOST),
        )
        # What lies ahead was written before the machine's clock was set back.
        self._database.execute(
            "DELETE FROM requests WHERE finished < ? OR started > ?", (now - _KEPT, now + _KEPT)
        )
        self._database.execute(
            "UPDATE window SET paused_until = 0 WHERE paused_until > ?", (now + 2 * 3_600,)
        )

    def _connect(self) -> None:
        self._database = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        with self._transaction() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS requests (id INTEGER PRIMARY KEY AUTOINCREMENT, "
                "started REAL NOT NULL, finished REAL, priority INTEGER NOT NULL)"
            )
            database.execute(
                "CREATE TABLE IF NOT EXISTS window (only INTEGER PRIMARY KEY CHECK (only = 1), "
                "remaining REAL, total REAL, resets_at REAL, paused_until REAL NOT NULL)"
            )
            database.execute(
                "INSERT OR IGNORE INTO window (only, remaining, paused_until) VALUES (1, NULL, 0)"
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


def budget_path(home: str, client_id: str) -> Path:
    """The file of a client's budget: in the home, or in the user's state folder for a remote one.

    The client is named by a hash, so the file's name gives no credential away.
    """
    name = f"budget-{hashlib.sha256(client_id.encode()).hexdigest()[:12]}.sqlite"
    path = Location.of(home).file(name)
    if path is not None:
        return path
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "mmrl" / name


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
