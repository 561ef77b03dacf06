"""Status of the collector: given to whoever watches, and kept in the catalog."""

import os
import socket
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from mmrl.collector.observations import Observations
from mmrl.collector.writer import SweepReport
from mmrl.errors import MmrlError, StorageError
from mmrl.sources.transport import Transport
from mmrl.times import iso, parse_time

_TIMES = frozenset({"started_at", "at", "polled_at", "last_error_at"})
_EARLIER_NAMES = {  # fields as earlier versions of mmrl wrote them
    "looks": "observations",
    "looks_late": "observations_late",
    "looks_due": "observations_due",
}


@dataclass
class Status:
    """Counts of a collector since its start, and its state.

    Attributes:
        state: running, stopped, restarting (its memory has grown, so that it starts anew), or
            failed: `last_error` ended it.
        seen, kept: posts in answers; those of them that were new and are written.
        subreddits: kept posts by subreddit.
        observations, observations_late, observations_due: made; made over ten minutes late; due
            now.
        requests: sent, tries and tokens included; `used` of `limit` in the last 60 seconds.
        newest_age: seconds between a post's creation and its first sight, the newest one lately.
        polled_at: when discovery last read back to what it knew.
        gap_ids: places that gaps leave to ask for: ids, or seconds where `gaps_timed`.
        gaps_unlisted: gaps that can't be asked for, as ids had no order.
        left_out: subreddits that the source does not show, with its answer.
        last_error, last_error_at: the newest failure; `failing` while it lasts.
        skew: seconds that the source's clock is ahead of this machine's, where they don't agree.
    """

    state: str = "running"
    started_at: datetime | None = None
    at: datetime | None = None
    seen: int = 0
    kept: int = 0
    subreddits: dict[str, int] = field(default_factory=dict)
    observations: int = 0
    observations_late: int = 0
    observations_due: int = 0
    gone: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    used: int = 0
    limit: int | None = None
    newest_age: float | None = None
    polled_at: datetime | None = None
    gap_ids: int = 0
    gaps_timed: bool = False
    gaps_unlisted: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    last_error: str | None = None
    last_error_at: datetime | None = None
    failing: bool = False
    faults: dict[str, int] = field(default_factory=dict)
    skew: float = 0.0
    process: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and the catalog: times as ISO 8601."""
        return {
            name: iso(value) if isinstance(value, datetime) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Status":
        """A status from what `as_dict` gave; fields of another version of mmrl are left out."""
        stored = {_EARLIER_NAMES.get(name, name): value for name, value in stored.items()}
        known = {field.name for field in fields(cls)} & set(stored)
        values: dict[str, Any] = {name: stored[name] for name in known}
        for name in known & _TIMES:
            values[name] = values[name] and parse_time(values[name])
        return cls(**values)

    def count_posts(self, report: SweepReport) -> None:
        """Takes what was found and written since the start."""
        self.seen, self.kept = report.seen, report.new
        self.subreddits = dict(report.subreddits)
        self.refused = dict(report.refused)
        self.left_out = dict(report.unreachable)

    def count_observations(self, observations: Observations, at: datetime) -> None:
        """Takes what was observed since the start, and what is due; after `count_posts`."""
        report = observations.report
        self.observations, self.observations_late = report.written, report.late
        self.observations_due, self.gone = observations.due(at), report.absent
        self.refused |= report.refused

    def count_requests(self, transports: Iterable[Transport]) -> None:
        """Takes what was sent since the start, and where the clients' budgets stand."""
        transports = list(transports)
        self.requests = sum(transport.sent.total() for transport in transports)
        self.faults = {}
        for transport in transports:
            for name, count in transport.faults.items():
                self.faults[name] = self.faults.get(name, 0) + count
        with suppress(StorageError, OSError):  # what they told last stays, and the service goes on
            states = [state for transport in transports if (state := transport.state())]
            self.used = sum(state.used for state in states)
            self.limit = sum(state.limit for state in states) or None

    def note(self, error: Exception, at: datetime) -> None:
        """Takes an error as the newest one."""
        self.last_error, self.last_error_at = in_words(error), at


def in_words(error: Exception) -> str:
    """An error's own sentence if it is one of ours; else its kind and place, never its content."""
    if isinstance(error, MmrlError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" in {Path(frame.filename).name}, line {frame.lineno}" for frame in last)
    return f"An error that was not foreseen: {type(error).__name__}{where}."
