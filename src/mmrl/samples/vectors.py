"""Joins the embedding tables to samples by the hash of what was embedded."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, quote
from mmrl.catalog.tables import embeddings_table
from mmrl.errors import InputError


def vector_dim(catalog: Catalog, space: str, encoder: str) -> int:
    """How many numbers an encoder's vectors have, as found in the catalog.

    Raises:
        InputError: it has embedded nothing yet.
    """
    pattern = re.compile(re.escape(embeddings_table(space, 0)[:-1]) + r"(\d+)")
    for name in catalog.table_names():
        matched = pattern.fullmatch(name)
        if matched and catalog.count(name, f"encoder = {quote(encoder)}"):
            return int(matched[1])
    raise InputError(
        f"No {space} vector of the encoder {encoder!r} is in the catalog, so samples can't hold "
        f"any: run `mmrl run embed-{space}` with this encoder first, or leave the space out."
    )


def join_vectors(
    catalog: Catalog, space: str, encoder: str, dim: int, contents: pa.Array
) -> pa.ChunkedArray:
    """The vectors of n contents, float32, null where a content is null or not embedded.

    Memory: the vectors of these contents once as read, and the result; nothing else of their size,
    however many the encoder made.
    """
    table, where = embeddings_table(space, dim), f"encoder = {quote(encoder)}"
    stored = catalog.lookup(table, "content", contents, ["content", "vector"], where)
    if stored.num_rows == 0:
        nothing = pa.nulls(len(contents), pa.list_(pa.float32(), dim))
        return pa.chunked_array([nothing])
    known = stored["content"].combine_chunks()
    row = pc.index_in(contents, value_set=known, skip_nulls=True)
    return stored["vector"].take(row)


def vector_column(vectors: Sequence[np.ndarray | None], dim: int) -> pa.FixedSizeListArray:
    """Vectors at hand, (dim,) each, as a column of samples; None where there is none."""
    filled = [np.zeros(dim) if vector is None else vector for vector in vectors]
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.asarray(filled, dtype=np.float32).reshape(-1)),
        dim,
        mask=pa.array([vector is None for vector in vectors], pa.bool_()),
    )
