"""Rows with keys of several columns, inserted by looking them up.

LanceDB's own insert finds out by the index whether a key of one column is there; for one of several
it reads all keys, for every batch. Here one column is looked up by its index, and what is not there
is added, on condition that nothing was committed in between that touches the table's first
fragment. Every such commit says that it does, though it leaves the fragment as it is: so of two
that begin at once one has to look again.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog.protocol import Tables
from mmrl.catalog.tables import indexed_columns

if TYPE_CHECKING:
    import lance

_TRIES = 100  # each but the last is one that another process was quicker than
_ROW = "row"


def insert_new(
    catalog: Tables,
    reading: "Callable[[], lance.LanceDataset | None]",
    table: str,
    keys: Sequence[str],
    rows: pa.Table,
    whole: bool = False,
) -> int | None:
    """Inserts the rows whose key is not there, in one commit.

    Args:
        reading: gives the table at its newest version.
        rows: with the table's columns; no key is in them twice.
        whole: only if none is there.

    Returns:
        how many were inserted; None where it can't be done so and nothing was: the table is empty,
        or, of the whole, some are there.
    """
    from lance import LanceDataset, LanceOperation
    from lance.fragment import write_fragments

    tried, written = -1, []
    for _ in range(_TRIES):
        dataset = reading()
        fragments = [] if dataset is None else dataset.get_fragments()
        if dataset is None or not fragments:
            return None
        new = absent(catalog, table, keys, rows)
        if whole and new.num_rows < rows.num_rows:
            return None
        if not new.num_rows:
            return 0
        if new.num_rows != tried:  # else what was written before will do
            written, tried = list(write_fragments(new, dataset, mode="append")), new.num_rows
        first = fragments[0].metadata
        try:
            LanceDataset.commit(
                dataset,
                LanceOperation.Update(updated_fragments=[first], new_fragments=written),
                read_version=dataset.version,
                max_retries=0,
            )
            return new.num_rows
        except (OSError, RuntimeError) as error:
            if "conflict" not in str(error).lower():
                raise
    raise OSError(f"commit conflict: other processes never left a moment to write to {table}")


def absent(catalog: Tables, table: str, keys: Sequence[str], rows: pa.Table) -> pa.Table:
    """The rows whose key a table does not hold."""
    column = next(name for name in (*indexed_columns(table), *keys) if name in keys)
    there = catalog.lookup(table, column, rows[column], keys)
    if not there.num_rows:
        return rows
    numbered = rows.select(keys).append_column(_ROW, pa.array(range(rows.num_rows), pa.int64()))
    left = numbered.join(there, list(keys), join_type="left anti")[_ROW]
    return rows.take(left.take(pc.sort_indices(left)))
