"""Rows by values of a column: few are asked for, of which an index knows, many found in a pass."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog.protocol import Tables
from mmrl.catalog.query import among, between

# Above both of these, one pass over a table costs less than asking for each value. Measured on
# `selection` and `posts` of 300,000 and 400,000 rows: 7 us of CPU a value against 0.06 to 0.2 us a
# row, equal near 1% of the rows. A span with 10,000 ids of 1,000,000: 2 to 6 ms, 50 with no index.
_ALWAYS = 2_000  # values
_SHARE = 0.01  # of the table's rows
_HELD_BYTES = 64 << 20  # of a pass, while values are looked for in it


def rows_among(
    tables: Tables,
    table: str,
    column: str,
    distinct: pa.Array,
    columns: Sequence[str] | None,
    where: str | None,
) -> Iterator[pa.Table]:
    """The rows whose `column` is among distinct values, some at a time; see `Catalog.lookup`."""
    few = len(distinct) <= _ALWAYS
    span = None if few else between(column, distinct)
    if few or (span is None and len(distinct) <= tables.count(table) * _SHARE):
        for condition in among(column, distinct.to_pylist()):
            both = f"{condition} AND ({where})" if where else condition
            yield tables.read(table, columns, both)
        return
    names = None if columns is None else list(dict.fromkeys([*columns, column]))
    both = " AND ".join(f"({one})" for one in (span, where) if one)
    for some in together(tables.batches(table, names, both or None), len(distinct)):
        rows = some.filter(pc.is_in(some[column], value_set=distinct))
        yield rows if columns is None else rows.select(list(columns))


def together(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Batches joined until they have so many rows, or fill what may be held.

    Whoever looks for n values hashes all of them first: once for as many rows, that is little.
    """
    held: list[pa.RecordBatch] = []
    count = size = 0
    for batch in batches:
        held.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes
        if count >= rows or size >= _HELD_BYTES:
            yield pa.Table.from_batches(held)
            held, count, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held)
