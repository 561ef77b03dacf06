"""Rows inserted by looking up their keys, so that none is in a table twice.

Lance's own insert tells of two writers of one key at once only where it reads all keys for every
batch: not with an index, and not of any other kind of commit. Here one column is looked up by its
index, and what is not there is added, on condition that nothing was committed in between that
touches the table's first fragment. Every such commit says that it does, though it leaves the
fragment as it is: so of two that begin at once one has to look again. In an empty table it is the
first commit on its version, or none. No other insert may be made beside these.
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
    newest: "Callable[[], lance.LanceDataset]",
    table: str,
    keys: Sequence[str],
    rows: pa.Table,
) -> pa.Table:
    """Inserts the rows whose key is not there, in one commit.

    Args:
        newest: gives the table at its newest version.
        rows: with the table's columns; no key is in them twice.

    Returns:
        the rows whose key was there.
    """
    from lance.fragment import write_fragments

    tried, written = None, []
    for _ in range(_TRIES):
        dataset = newest()
        new, known = _apart(catalog, table, keys, rows)
        if not new.num_rows:
            return known
        if tried is None or not new.select(keys).equals(tried):  # else what was written will do
            written, tried = list(write_fragments(new, dataset, mode="append")), new.select(keys)
        if _commit(dataset, written):
            return known
    raise OSError(f"commit conflict: other processes never left a moment to write to {table}")


def _commit(dataset: "lance.LanceDataset", written: "list[lance.FragmentMetadata]") -> bool:
    """Adds new fragments to the version that was looked at; false where another commit came in."""
    from lance import LanceDataset, LanceOperation

    fragments = dataset.get_fragments()
    operation: LanceOperation.BaseOperation
    if fragments:
        first = fragments[0].metadata
        operation = LanceOperation.Update(updated_fragments=[first], new_fragments=written)
    else:
        operation = LanceOperation.Overwrite(dataset.schema, written)
    try:
        LanceDataset.commit(dataset, operation, read_version=dataset.version, max_retries=0)
    except (OSError, RuntimeError) as error:
        if "conflict" not in str(error).lower():
            raise
        return False
    return True


def _apart(
    catalog: Tables, table: str, keys: Sequence[str], rows: pa.Table
) -> tuple[pa.Table, pa.Table]:
    """The rows whose key a table does not hold, and those whose key it does, each in order."""
    column = next(name for name in (*indexed_columns(table), *keys) if name in keys)
    there = catalog.lookup(table, column, rows[column], keys)
    if not there.num_rows:
        return rows, rows.slice(0, 0)
    numbers = pa.array(range(rows.num_rows), pa.int64())
    numbered = rows.select(keys).append_column(_ROW, numbers)
    left = numbered.join(there, list(keys), join_type="left anti")[_ROW]
    is_new = pc.is_in(numbers, value_set=left.combine_chunks())
    return rows.filter(is_new), rows.filter(pc.invert(is_new))
