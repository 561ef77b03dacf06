"""Files of a table that were joined from older ones: how new their rows are.

Lance numbers a table's fragments upwards in the order of commits, so the rows written after a
moment are those of later fragments. Joining small files gives old rows a new fragment. How new they
are is kept in `meta` by the file's name, which is never given twice; a fragment that nothing is
known of counts as new, which costs reading it and misses nothing.
"""

import json
from typing import TYPE_CHECKING

from mmrl.catalog.meta import set_value, value_of
from mmrl.catalog.protocol import Tables

if TYPE_CHECKING:
    import lance


class Ages:
    """How new the rows of a table's fragments are, as numbers of fragments."""

    def __init__(self, catalog: Tables, table: str) -> None:
        self._catalog = catalog
        self._name = f"joined files of {table}"
        self._newest: dict[str, int] = json.loads(value_of(catalog, self._name) or "{}")

    def of(self, fragment: "lance.LanceFragment") -> int:
        """The number of the fragment that the newest of its rows were written in."""
        return self._newest.get(_path(fragment), fragment.fragment_id)

    def note(self, before: "list[lance.LanceFragment]", after: "list[lance.LanceFragment]") -> None:
        """Keeps that the fragments that are new were all joined from those that are gone."""
        there = {_path(fragment) for fragment in after}
        gone = [self.of(fragment) for fragment in before if _path(fragment) not in there]
        if gone:
            made = there.difference(map(_path, before))
            kept = {path: age for path, age in self._newest.items() if path in there}
            kept |= dict.fromkeys(sorted(made), max(gone))
            set_value(self._catalog, self._name, json.dumps(kept))


def _path(fragment: "lance.LanceFragment") -> str:
    return str(fragment.data_files()[0].path)
