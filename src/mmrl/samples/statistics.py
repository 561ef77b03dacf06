"""Statistics of images as columns of samples."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, quote
from mmrl.catalog.columns import IMAGE_STATISTICS
from mmrl.images.quality import VERSION

STATISTICS = "image_statistics"  # the table, and what all its numbers are called together


def join_statistics(
    catalog: Catalog, images: pa.Array, names: Collection[str] = IMAGE_STATISTICS
) -> dict[str, pa.Array]:
    """Columns of `IMAGE_STATISTICS` for n images, float32, null where an image was not measured.

    Args:
        images: (n,) hashes, or null.
        names: which to read; the others are null.
    """
    read = [name for name in IMAGE_STATISTICS if name in names]
    nothing = pa.nulls(len(images), pa.float32())
    if not read:
        return dict.fromkeys(IMAGE_STATISTICS, nothing)
    where = f"version = {quote(VERSION)}"
    stored = catalog.lookup(STATISTICS, "sha256", images, ["sha256", *read], where)
    row = pc.index_in(images, value_set=_array(stored["sha256"]), skip_nulls=True)
    columns = {name: _array(stored[name]).take(row) for name in read}
    return {name: columns.get(name, nothing) for name in IMAGE_STATISTICS}


def statistics_columns(measured: Sequence[np.ndarray | None]) -> Mapping[str, pa.Array]:
    """Statistics at hand, (len(IMAGE_STATISTICS),) each, as columns of samples; None: no image."""
    absent = np.full(len(IMAGE_STATISTICS), np.nan)
    rows = [absent if values is None else values for values in measured]
    table = np.array(rows, np.float32).reshape(-1, len(IMAGE_STATISTICS))
    return {
        name: pa.array(table[:, column], from_pandas=True)
        for column, name in enumerate(IMAGE_STATISTICS)
    }


def _array(column: pa.ChunkedArray) -> pa.Array:
    """A column's values as one array, also where it has no chunk."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
