"""Cells of experiments: test predictions, out of which a purge takes its posts.

The tables that an experiment writes name no post; they stay as they are.
"""

import time
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmrl.catalog import Catalog
from mmrl.purge.rows import Doomed
from mmrl.storage.opening import Storage, storage_of

NOTE = "experiment"  # the kind of note: a cell's file
_FOLDER, _CELLS = "experiments", "cells"  # experiments/NAME/cells/KEY.parquet
_POST = "post_id"
_LEFTOVER_SECONDS = 600.0  # a half-written file that is older is of a process that was killed


def note(catalog: Catalog, doomed: Doomed) -> None:
    """Notes the cells that were judged on any of the posts."""
    for name, _ in _holding(storage_of(catalog.home), doomed):
        doomed.notes[NOTE][name] = ""


def erase(catalog: Catalog, doomed: Doomed) -> None:
    """Takes the posts out of all cells, those written since they were noted included.

    A cell that can't be read is deleted, as what it holds can't be told: its experiment trains it
    again. One file is in memory at a time.
    """
    storage = storage_of(catalog.home)
    posts = _array(doomed)
    for name, data in _holding(storage, doomed):
        doomed.notes[NOTE][name] = ""
        left = _without(data, posts)
        if left is None:
            storage.delete([name])
        else:
            storage.write(name, left)
    storage.delete(list(_leftovers(storage)))


def counts(doomed: Doomed) -> Counter[str]:
    """How many cells of each experiment held any of the posts."""
    return Counter(name.split("/")[1] for name in sorted(doomed.notes[NOTE]))


def _holding(storage: Storage, doomed: Doomed) -> Iterator[tuple[str, bytes]]:
    """The cells that hold a post, or can't be read, with their bytes."""
    posts = _array(doomed)
    for name in _files(storage):
        if name.endswith(".parquet") and not _is_half_written(name):
            data = storage.read(name)
            if data is not None and _holds(data, posts):
                yield name, data


def _holds(data: bytes, posts: pa.Array) -> bool:
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as cell:
            return any(
                pc.any(pc.is_in(batch[_POST], value_set=posts)).as_py()
                for batch in cell.iter_batches(columns=[_POST])
            )
    except (pa.ArrowException, OSError, KeyError):
        return True


def _without(data: bytes, posts: pa.Array) -> bytes | None:
    """A cell without the posts; None where it can't be read."""
    written = pa.BufferOutputStream()
    try:
        with (
            pq.ParquetFile(pa.BufferReader(data)) as cell,
            pq.ParquetWriter(written, cell.schema_arrow) as writer,
        ):
            for batch in cell.iter_batches():
                kept = pc.invert(pc.is_in(batch[_POST], value_set=posts))
                writer.write_batch(batch.filter(kept))
    except (pa.ArrowException, OSError, KeyError):
        return None
    return bytes(written.getvalue().to_pybytes())


def _leftovers(storage: Storage) -> Iterator[str]:
    # A file's age is by the machine's clock, whatever time the work is done for.
    before = time.time() - _LEFTOVER_SECONDS
    for stored in storage.walk(_FOLDER):
        if _is_half_written(stored.name) and stored.modified < before:
            yield stored.name


def _files(storage: Storage) -> list[str]:
    names = (stored.name for stored in storage.walk(_FOLDER))
    return sorted(name for name in names if name.split("/")[2:3] == [_CELLS])


def _is_half_written(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".") or name.endswith(".part")


def _array(doomed: Doomed) -> pa.Array:
    return pa.array(list(doomed.posts), pa.string())
