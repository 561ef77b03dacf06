"""Measures of images as columns of samples: statistics, and the colour histogram."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, quote
from mmrl.catalog.columns import COLOUR_BINS, COLOURS, IMAGE_STATISTICS
from mmrl.images.measures.quality import VERSION, Measures
from mmrl.samples.vectors import vector_column

STATISTICS = "image_statistics"  # the table, and what all its numbers are called together
MEASURES = (*IMAGE_STATISTICS, COLOURS)


def join_measures(
    catalog: Catalog, images: pa.Array, names: Collection[str] = MEASURES
) -> dict[str, pa.Array]:
    """Statistics and colours of n images, null where an image was not measured.

    Args:
        images: (n,) hashes, or null.
        names: which to read; the others are null.
    """
    nothing = {name: pa.nulls(len(images), _type(name)) for name in MEASURES}
    read = [name for name in MEASURES if name in names]
    if not read:
        return nothing
    where = f"version = {quote(VERSION)}"
    stored = catalog.lookup(STATISTICS, "sha256", images, ["sha256", *read], where)
    row = pc.index_in(images, value_set=_array(stored["sha256"]), skip_nulls=True)
    return nothing | {name: _array(stored[name]).take(row) for name in read}


def measures_columns(measured: Sequence[Measures | None]) -> Mapping[str, pa.Array]:
    """Measures at hand as columns of samples; None: no image."""
    absent = np.full(len(IMAGE_STATISTICS), np.nan)
    rows = [absent if each is None else each.statistics for each in measured]
    table = np.array(rows, np.float32).reshape(-1, len(IMAGE_STATISTICS))
    statistics = {
        name: pa.array(table[:, column], from_pandas=True)
        for column, name in enumerate(IMAGE_STATISTICS)
    }
    colours = [None if each is None else each.colours for each in measured]
    return {**statistics, COLOURS: vector_column(colours, COLOUR_BINS)}


def _type(name: str) -> pa.DataType:
    return pa.list_(pa.float32(), COLOUR_BINS) if name == COLOURS else pa.float32()


def _array(column: pa.ChunkedArray) -> pa.Array:
    """A column's values as one array, also where it has no chunk."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
