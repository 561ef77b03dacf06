"""Cursors: how far each subreddit was read, and which are closed; kept over restarts.

A subreddit's frontier is the newest place of the last poll that reached back to the frontier before
it: for Reddit an id, with the time of creation that polls compare; for an archive a time. Each
source has cursors of its own. Every post up to the frontier has been seen. A known post proves
less: it may have been found another way, or written just before a kill, with the posts below it
still unseen.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.errors import InputError
from mmrl.times import iso, parse_time

TABLE = "service"
STATUS = "collect"  # the row that holds the service's status
RULES = "rules"  # the row that holds when rules were last asked for
_TIMES = ("retry_at", "checked_at", "full_check_at", "unordered_since")
_COUNTS = ("fresh", "checked_to", "checked_before")
_SUBREDDIT = "subreddit/"


@dataclass
class Cursor:
    """The place up to which one subreddit was read.

    Attributes:
        frontier: every post up to this place has been seen; None: never read.
        seen_to: the same as a time of creation, in epoch seconds; None where places are times.
        confirmed, confirmed_to: both when the subreddit was last known to be open. Polls do not
            tell this: a multireddit leaves out a closed subreddit silently.
        closed: the source's answer where it does not show the subreddit; asked again at `retry_at`.
        fresh: its posts found since its own listing was last read.
        checked_to, checked_before: the newest place at the last check, and at the one before.
        checked_at, full_check_at: when the last check and the last daily check were.
        unordered_since: when ids were found to have no order; None where they count up.
    """

    frontier: int | None = None
    seen_to: int | None = None
    confirmed: int | None = None
    confirmed_to: int | None = None
    closed: str | None = None
    retry_at: datetime | None = None
    fresh: int = 0
    checked_to: int = 0
    checked_before: int = 0
    checked_at: datetime | None = None
    full_check_at: datetime | None = None
    unordered_since: datetime | None = None

    def as_json(self) -> str:
        """The value for the table `service`."""
        return json.dumps(
            {
                name: iso(value) if isinstance(value, datetime) else value
                for name, value in vars(self).items()
                if value is not None
            }
        )


class Cursors:
    """The rows of the table `service` with a source's mark; changes wait for `save`."""

    def __init__(self, catalog: Catalog, mark: str = "") -> None:
        self._catalog = catalog
        self._mark = mark
        self._cursors: dict[str, Cursor] = {}
        self._saved: dict[str, str] = {}
        for row in catalog.read(TABLE, ["name", "value"]).to_pylist():
            if row["name"].startswith(mark + _SUBREDDIT):
                name = row["name"].removeprefix(mark + _SUBREDDIT)
                self._cursors[name] = _read(row["value"])
                self._saved[row["name"]] = row["value"]

    def of(self, subreddit: str) -> Cursor:
        """A subreddit's cursor; a new one where it was never read."""
        return self._cursors.setdefault(subreddit.lower(), Cursor())

    def advance(self, subreddit: str, frontier: int, seen_to: int | None) -> None:
        """Notes that every post of a subreddit up to this place, and time, has been seen."""
        cursor = self.of(subreddit)
        cursor.frontier = max(frontier, cursor.frontier or 0)
        if seen_to is not None:
            cursor.seen_to = max(seen_to, cursor.seen_to or 0)

    def rules_asked_at(self) -> datetime | None:
        """When subreddits' rules were last asked for; None: never."""
        name = f"name = '{self._mark}{RULES}'"
        rows: list[datetime] = self._catalog.read(TABLE, ["at"], name)["at"].to_pylist()
        return rows[0] if rows else None

    def note_rules(self, at: datetime) -> None:
        """Writes that subreddits' rules were asked for."""
        row = {"name": self._mark + RULES, "value": None, "at": at}
        self._catalog.upsert(TABLE, pa.Table.from_pylist([row], schema=SCHEMAS[TABLE]))

    def save(self, at: datetime, status: dict[str, Any] | None = None) -> None:
        """Writes the cursors that changed, and the service's status, in one commit."""
        values = {
            f"{self._mark}{_SUBREDDIT}{name}": cursor.as_json()
            for name, cursor in self._cursors.items()
        }
        changed = {name: value for name, value in values.items() if self._saved.get(name) != value}
        if status is not None:
            changed[self._mark + STATUS] = json.dumps(status)
        rows = [{"name": name, "value": value, "at": at} for name, value in changed.items()]
        self._catalog.upsert(TABLE, pa.Table.from_pylist(rows, schema=SCHEMAS[TABLE]))
        changed.pop(self._mark + STATUS, None)
        self._saved.update(changed)


def read_status(catalog: Catalog, mark: str = "") -> dict[str, Any] | None:
    """The status that a collector of a source wrote last; None where none ever ran."""
    rows = catalog.read(TABLE, ["value"], f"name = '{mark}{STATUS}'")["value"].to_pylist()
    status: dict[str, Any] | None = json.loads(rows[0]) if rows else None
    return status


def _read(value: str) -> Cursor:
    """Reads a row; one that can't be read counts as absent, and costs a longer poll."""
    try:
        saved = json.loads(value)
        times = {name: parse_time(saved[name]) for name in _TIMES if name in saved}
        names = ("frontier", "seen_to", "confirmed", "confirmed_to")
        reached = {name: int(saved[name]) for name in names if saved.get(name) is not None}
        counts = {name: int(saved.get(name, 0)) for name in _COUNTS}
        values: dict[str, Any] = {**times, **reached, **counts}
        return Cursor(closed=saved.get("closed"), **values)
    except (ValueError, TypeError, InputError):
        return Cursor()
