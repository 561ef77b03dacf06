"""Imports that did not come to their end: how far they were, so that the next one goes on there.

A file of the home holds the mark behind the last rows that were written, and the counts until then.
Rows that were written behind the mark are written again, which changes nothing.
"""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from mmrl.catalog.reasons import Reason
from mmrl.sources.files.content import Entry
from mmrl.sources.files.source import START, Mark
from mmrl.storage.files import Storage

FOLDER = "imports"  # in the home; a purge deletes it, and imports begin anew


class Unfinished:
    """How far the import of one source was.

    Args:
        same: tells the source from others, see `PostSource`; where it is None, nothing is kept.
        as_of: the present.
    """

    def __init__(self, storage: Storage, same: str | None, as_of: datetime) -> None:
        self._storage, self._as_of = storage, as_of.isoformat()
        self._name = None if same is None else f"{FOLDER}/{same}.json"

    def found(self) -> tuple[Mark, dict[str, Any] | None]:
        """Where to begin, and the counts until there, as they were kept; None at the start.

        It begins at the start where rows were refused for their times, as of another present.
        """
        kept = None if self._name is None else self._storage.read(self._name)
        if kept is None:
            return START, None
        held = json.loads(kept)
        if Reason.OUT_OF_RANGE in held["report"]["refused"] and held["as_of"] != self._as_of:
            return START, None
        return Mark(**held["mark"] | {"entry": Entry(**held["mark"]["entry"])}), held["report"]

    def keep(self, mark: Mark, report: dict[str, Any]) -> None:
        """Keeps a mark, with the counts until there, in the place of an earlier one."""
        if self._name is not None:
            held = {"mark": asdict(mark), "report": report, "as_of": self._as_of}
            self._storage.write(self._name, json.dumps(held).encode())

    def forget(self) -> None:
        """Forgets it: there is nothing left to go on with."""
        if self._name is not None:
            self._storage.delete([self._name])
