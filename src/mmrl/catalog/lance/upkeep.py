"""Upkeep of a table's files: small ones joined, keys indexed, old versions dropped."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from mmrl.catalog.tables import indexed_columns

_SMALL_FILES = 20  # a table with more of them than this is worth compacting
_FEWEST_FILES = 10  # that are joined, where they are not all of like size
_JOINING = 2  # versions that joining makes: one reserves numbers of fragments, one rewrites
_INDEXED_ROWS = 10_000  # smaller tables are read faster than an index is kept
_UNINDEXED_ROWS = 2_000  # newer rows than the index knows are read one by one; so many at most
# Rows a page of an index. A look-up reads a page for each value; Lance's own 4,096 make looking up
# a day's 200 hashes as slow as reading a million.
_PAGE_ROWS = 256
_MOVED_SHARE = 0.2  # of the vectors may be missing in their index; these are compared one by one
VECTOR = "vector"  # the column of an embedding table


def compact(opened: Any, table: str, joined: Callable[[list[Any], list[Any]], None]) -> None:
    """Joins the small files of a LanceDB table and keeps its indices; see `Catalog.compact`.

    Args:
        joined: is told the fragments before and after, where nobody else wrote meanwhile.
    """
    try:
        dataset, options = opened.to_lance(), fragments_of(table)
        version, before = dataset.version, dataset.get_fragments()
        files, whole = [one.physical_rows for one in before], options["target_rows_per_fragment"]
        if sum(rows < whole for rows in files) > _SMALL_FILES:
            options["target_rows_per_fragment"] = joined_below(files, whole)
            # Else a large file of which rows were deleted would be cut into small ones.
            take_out = options["target_rows_per_fragment"] == whole
            done = dataset.optimize.compact_files(**options, materialize_deletions=take_out)
            opened.checkout_latest()
            after = opened.to_lance()
            # Where there was nothing to join, the same number of versions may be others' commits.
            if done.fragments_removed and after.version == version + _JOINING:
                joined(before, after.get_fragments())
        if opened.count_rows() >= _INDEXED_ROWS:
            for column in indexed_columns(table):
                _index(opened, column)
        if table.startswith("embeddings_"):
            _index_vectors(opened)
    except (OSError, RuntimeError) as error:
        if "commit conflict" not in str(error):
            raise


def joined_below(files: Sequence[int], whole: int) -> int:
    """The number of rows below which files are joined: all together make no more than that.

    A file is joined with smaller ones once these have as many rows as it has, so that it doubles at
    least. Joining all each time would write large files anew for a few rows, and have all their
    rows come again as new, see `joined`.

    Args:
        files: the rows of each.
        whole: what files grow to.
    """
    smaller = 0
    for place, rows in enumerate(sorted(rows for rows in files if rows < whole)):
        if place >= _FEWEST_FILES and rows > smaller:
            return rows
        smaller += rows
    return whole


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


def _index(opened: Any, column: str) -> None:
    """Keeps a BTree on a column, so that a look-up costs what is asked for.

    New rows get an index of their own, which is joined with older ones of at most its size: so that
    keeping the index costs what is new, and a look-up asks few of them.
    """
    dataset = opened.to_lance()
    name = next((one["name"] for one in dataset.list_indices() if one["fields"] == [column]), None)
    if name is None:
        index_again(opened, column)
        return
    known = dataset.stats.index_stats(name)
    parts, new = known["num_indexed_rows_per_delta"], known["num_unindexed_rows"]
    if sum(parts) > 2 * _PAGE_ROWS * sum(part["num_pages"] for part in known["indices"]):
        index_again(opened, column)  # an earlier mmrl made it, of large pages
    elif new > _UNINDEXED_ROWS:
        joined = 0
        for part in reversed(parts):
            if part > new:
                break
            joined, new = joined + 1, new + part
        dataset.optimize.optimize_indices(num_indices_to_merge=joined, index_names=[name])
        opened.checkout_latest()


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
    elif left_out > _UNINDEXED_ROWS:
        opened.to_lance().optimize.optimize_indices(index_names=[indices[0]])
        opened.checkout_latest()


def index_again(opened: Any, column: str) -> None:
    """Makes a column's index from the rows that are there; a small table's vectors need none."""
    from lance.indices import IndexConfig

    if column != VECTOR:
        pages = IndexConfig("btree", {"zone_size": _PAGE_ROWS})
        opened.to_lance().create_scalar_index(column, pages, replace=True)
        opened.checkout_latest()
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
