"""Files of a table that were joined from older ones: how new their rows are.

Lance numbers a table's fragments upwards in the order of commits, so the rows written after a
moment are those of later fragments. Joining small files gives old rows a new fragment. What it was
joined from is kept in `meta` by the file's name, which is never given twice; a fragment that
nothing is known of counts as new, which costs reading it and misses nothing.
"""

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mmrl.catalog.protocol import Tables
from mmrl.catalog.query import quote
from mmrl.catalog.tables import META

if TYPE_CHECKING:
    import lance


class Ages:
    """How new the rows of a table's fragments are, as numbers of fragments."""

    def __init__(self, catalog: Tables, table: str) -> None:
        self._catalog = catalog
        self._name = f"joined files of {table}"
        where = f"name = {quote(self._name)}"
        kept = catalog.read("meta", ["value"], where)["value"].to_pylist()
        self._newest: dict[str, int] = json.loads(kept[0]) if kept else {}

    def of(self, fragment: "lance.LanceFragment") -> int:
        """The number of the fragment that the newest of its rows were written in."""
        return self._newest.get(fragment.data_files()[0].path, fragment.fragment_id)

    def note(self, dataset: "lance.LanceDataset", since: int) -> None:
        """Keeps what the versions after `since` have joined."""
        from lance import LanceOperation

        found = False
        for version in range(since + 1, dataset.version + 1):
            written = dataset.read_transaction(version)
            if written is not None and isinstance(written.operation, LanceOperation.Rewrite):
                found = True
                for group in written.operation.groups:
                    newest = max(map(self._of_metadata, group.old_fragments))
                    self._newest |= {one.files[0].path: newest for one in group.new_fragments}
        if found:
            there = {fragment.data_files()[0].path for fragment in dataset.get_fragments()}
            kept = {path: newest for path, newest in self._newest.items() if path in there}
            row = {"name": [self._name], "value": [json.dumps(kept)]}
            self._catalog.upsert("meta", pa.table(row, schema=META))

    def _of_metadata(self, fragment: Any) -> int:
        return self._newest.get(fragment.files[0].path, fragment.id)
