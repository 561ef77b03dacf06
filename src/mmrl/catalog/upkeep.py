"""Upkeep of a table's files: small ones joined, keys indexed, old versions dropped."""

from datetime import timedelta
from typing import Any

from mmrl.catalog.columns import key_columns

_SMALL_FILES = 20  # a table with more of them than this is worth compacting
_INDEXED_ROWS = 10_000  # smaller tables are read faster than an index is kept
_UNINDEXED_ROWS = 2_000  # newer rows than the index knows are read one by one; so many at most
_MOVED_SHARE = 0.2  # of the vectors may be missing in their index; these are compared one by one
VECTOR = "vector"  # the column of an embedding table


def compact(opened: Any, table: str) -> None:
    """Joins the small files of a LanceDB table and indexes its key; see `Catalog.compact`."""
    try:
        if opened.stats()["fragment_stats"]["num_small_fragments"] > _SMALL_FILES:
            opened.to_lance().optimize.compact_files(**fragments_of(table))
            opened.checkout_latest()
        _index_key(opened)
        if table.startswith("embeddings_"):
            _index_vectors(opened)
    except (OSError, RuntimeError) as error:
        if "commit conflict" not in str(error):
            raise


def drop_versions(opened: Any, older_than: timedelta) -> int:
    """Drops old versions of a LanceDB table; see `Catalog.drop_versions`."""
    cleaned = opened.to_lance().cleanup_old_versions(older_than, error_if_tagged_old_versions=False)
    return int(cleaned.old_versions)


def fragments_of(table: str) -> dict[str, int]:
    """The fragments that Lance cuts a table's files into when it joins or rewrites them.

    A file is rewritten whole to take one row out of it, or to join a small one to it, so files are
    kept small, those of images very small. Lance's own million rows a file would have a collector
    rewrite all its observations several times a day, with memory and writes that grow as they do.
    """
    if table == "images":
        return {"target_rows_per_fragment": 4_096, "batch_size": 64}
    return {"target_rows_per_fragment": 131_072}


def _index_key(opened: Any) -> None:
    """Keeps a BTree on the first key column, so that a look-up costs what is asked for."""
    if opened.count_rows() < _INDEXED_ROWS:
        return
    column = key_columns(opened.schema)[0]
    indices = [index.name for index in opened.list_indices() if index.columns == [column]]
    if not indices:
        opened.create_scalar_index(column, index_type="BTREE")
    elif opened.index_stats(indices[0]).num_unindexed_rows > _UNINDEXED_ROWS:
        opened.to_lance().optimize.optimize_indices()


def _index_vectors(opened: Any) -> None:
    """Keeps an index of the vectors, by which the nearest are found without reading all.

    RaBitQ (Gao and Long 2024, "RaBitQ: quantizing high-dimensional vectors with a theoretical error
    bound for approximate nearest neighbor search") in lists around centres. It is made anew when
    many vectors are not in it, so that the centres stay in the middle of what is there.
    """
    rows = opened.count_rows()
    if rows < _INDEXED_ROWS:
        return
    indices = [index.name for index in opened.list_indices() if index.columns == [VECTOR]]
    left_out = opened.index_stats(indices[0]).num_unindexed_rows if indices else rows
    if left_out > max(_UNINDEXED_ROWS, _MOVED_SHARE * rows):
        index_again(opened, VECTOR)


def index_again(opened: Any, column: str) -> None:
    """Makes a column's index from the rows that are there; a small table's vectors need none."""
    if column != VECTOR:
        opened.create_scalar_index(column, index_type="BTREE", replace=True)
        return
    rows = opened.count_rows()
    if rows < _INDEXED_ROWS:
        for index in opened.list_indices():
            if index.columns == [VECTOR]:
                opened.drop_index(index.name)
        return
    opened.to_lance().create_index(
        VECTOR, "IVF_RQ", metric="cosine", replace=True, num_partitions=int(rows**0.5)
    )
    opened.checkout_latest()
