"""What the collector has to know after a restart: how far each subreddit was read, and which are
closed.

A subreddit's frontier is the newest post id of the last poll that reached back to the frontier
before it. Everything up to it has been seen. That a post is known proves less: it may have been
found another way, or written just before a kill, with the posts below it still unseen.
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
STATUS = "collect"  # the row that holds the service's own account of itself
_TIMES = ("retry_at", "checked_at", "full_check_at")
_SUBREDDIT = "subreddit/"


@dataclass
class Followed:
    """One subreddit.

    Attributes:
        frontier: every post up to this id (as a number) has been seen; None: never read.
        confirmed: the frontier at the last time that it was known to be shown. A multireddit
            leaves out a closed one without a word, so polls alone don't tell.
        closed: Reddit's answer where it does not show it; asked again at `retry_at`.
        fresh: its posts found since its own listing was last read.
        checked_to, checked_before: the newest id at the last check, and at the one before.
        checked_at, full_check_at: when that was, over some hours and over a day.
    """

    frontier: int | None = None
    confirmed: int | None = None
    closed: str | None = None
    retry_at: datetime | None = None
    fresh: int = 0
    checked_to: int = 0
    checked_before: int = 0
    checked_at: datetime | None = None
    full_check_at: datetime | None = None

    def as_json(self) -> str:
        """For the table."""
        return json.dumps(
            {
                name: iso(value) if isinstance(value, datetime) else value
                for name, value in vars(self).items()
                if value is not None
            }
        )


class State:
    """The rows of the table `service`; changes wait for `save`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._followed: dict[str, Followed] = {}
        self._saved: dict[str, str] = {}
        for row in catalog.read(TABLE, ["name", "value"]).to_pylist():
            if row["name"].startswith(_SUBREDDIT):
                self._followed[row["name"].removeprefix(_SUBREDDIT)] = _followed(row["value"])
                self._saved[row["name"]] = row["value"]

    def of(self, subreddit: str) -> Followed:
        """What is known of a subreddit."""
        return self._followed.setdefault(subreddit.lower(), Followed())

    def advance(self, subreddit: str, frontier: int) -> None:
        """Everything of it up to this id has been seen."""
        found = self.of(subreddit)
        found.frontier = max(frontier, found.frontier or 0)

    def save(self, at: datetime, status: dict[str, Any] | None = None) -> None:
        """Writes what changed, and the service's account of itself, in one commit."""
        values = {_SUBREDDIT + name: found.as_json() for name, found in self._followed.items()}
        changed = {name: value for name, value in values.items() if self._saved.get(name) != value}
        if status is not None:
            changed[STATUS] = json.dumps(status)
        rows = [{"name": name, "value": value, "at": at} for name, value in changed.items()]
        self._catalog.upsert(TABLE, pa.Table.from_pylist(rows, schema=SCHEMAS[TABLE]))
        changed.pop(STATUS, None)
        self._saved.update(changed)


def read_status(catalog: Catalog) -> dict[str, Any] | None:
    """The newest account that a collector gave of itself; None where none ever ran."""
    rows = catalog.read(TABLE, ["value"], f"name = '{STATUS}'")["value"].to_pylist()
    found: dict[str, Any] | None = json.loads(rows[0]) if rows else None
    return found


def _followed(value: str) -> Followed:
    """Reads a row; one that can't be read is as if it had never been, and costs a longer poll."""
    try:
        given = json.loads(value)
        times = {name: parse_time(given[name]) for name in _TIMES if name in given}
        frontier = given.get("frontier")
        confirmed = given.get("confirmed")
        return Followed(
            None if frontier is None else int(frontier),
            None if confirmed is None else int(confirmed),
            given.get("closed"),
            fresh=int(given.get("fresh", 0)),
            checked_to=int(given.get("checked_to", 0)),
            checked_before=int(given.get("checked_before", 0)),
            **times,
        )
    except (ValueError, TypeError, InputError):
        return Followed()
