"""Imports that did not come to their end: how far they were, so that the next one goes on there.

A file of the home holds the mark behind the last rows that were written, and the counts until then.
Rows that were written behind the mark are written again, which changes nothing. A mark does not
count where rows were taken out of the catalog since, by a purge or a repair.
"""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from mmrl.catalog import Catalog
from mmrl.catalog.generation import generation
from mmrl.catalog.reasons import Reason
from mmrl.sources.files.content import Entry
from mmrl.sources.files.source import START, Mark
from mmrl.storage.opening import storage_of

FOLDER = "imports"  # in the home; a purge deletes it, and imports begin anew


class Unfinished:
    """How far the import of one source was.

    Args:
        same: tells the source from others, see `PostSource`; where it is None, nothing is kept.
        as_of: the present.
    """

    def __init__(self, catalog: Catalog, same: str | None, as_of: datetime) -> None:
        self._catalog, self._as_of = catalog, as_of
        self._storage = storage_of(catalog.home)
        self._name = None if same is None else f"{FOLDER}/{same}.json"
        self._begun = generation(catalog)

    def kept(self) -> tuple[Mark, dict[str, Any] | None]:
        """Where to begin, and the counts until there, as they were kept; None at the start.

        It begins at the start where rows were refused for their times as of another present, where
        scores may be dated by a later present, and where rows were taken out of the catalog since.
        """
        kept = None if self._name is None else self._storage.read(self._name)
        if kept is None:
            return START, None
        held = json.loads(kept)
        present = datetime.fromisoformat(held["as_of"])
        refused = Reason.OUT_OF_RANGE in held["report"]["refused"]
        if present > self._as_of or (refused and present != self._as_of):
            return START, None
        if held.get("generation") != self._begun:
            return START, None
        return Mark(**held["mark"] | {"entry": Entry(**held["mark"]["entry"])}), held["report"]

    def keep(self, mark: Mark, report: dict[str, Any]) -> None:
        """Keeps a mark, with the counts until there, in the place of an earlier one.

        A purge deletes marks once the new generation has begun: one that is written at that moment
        is deleted here.
        """
        if self._name is None:
            return
        now = generation(self._catalog)
        if now != self._begun:  # examples may name a post that was purged
            report = report | {"examples": []}
        held = {"mark": asdict(mark), "report": report, "as_of": self._as_of.isoformat()}
        self._storage.write(self._name, json.dumps(held | {"generation": now}).encode())
        if generation(self._catalog) != now:
            self.forget()

    def forget(self) -> None:
        """Forgets it: there is nothing left to go on with."""
        if self._name is not None:
            self._storage.delete([self._name])
