"""Vectors of samples read some at a time, so that not all of them need be held at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, quote
from mmrl.catalog.tables import embeddings_table
from mmrl.samples.vectors import join_vectors

_BATCH_BYTES = 64 << 20  # of vectors at once


class Vectors(Protocol):
    """Columns of vectors of n samples."""

    @property
    def dims(self) -> Mapping[str, int]:
        """By column, how many numbers a vector has."""

    def of(self, rows: np.ndarray) -> "Vectors":
        """Those of some of the samples, in the order of the rows given."""

    def take(self, column: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A column's vectors of some samples, (m, dim) float32, zero where null, and which, (m,)
        bool, there are."""

    def batches(self, column: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All vectors of a column, each once: rows (m,) and their vectors (m, dim) float32. Rows
        come in any order, those without a vector not at all."""


@dataclass(frozen=True)
class HeldVectors:
    """Vectors that a table of samples holds.

    Attributes:
        rows: of the table; all for None.
    """

    table: pa.Table
    rows: np.ndarray | None = None

    @property
    def dims(self) -> Mapping[str, int]:
        return {
            field.name: field.type.list_size
            for field in self.table.schema
            if pa.types.is_fixed_size_list(field.type)
        }

    def of(self, rows: np.ndarray) -> "HeldVectors":
        return HeldVectors(self.table, rows if self.rows is None else self.rows[rows])

    def take(self, column: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = rows if self.rows is None else self.rows[rows]
        return as_arrays(self.table[column].take(pa.array(chosen)))

    def batches(self, column: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        count = self.table.num_rows if self.rows is None else len(self.rows)
        step = _rows_at_once(self.dims[column])
        for start in range(0, count, step):
            rows = np.arange(start, min(start + step, count))
            if self.rows is None:
                vectors, there = as_arrays(self.table[column].slice(start, step))
            else:
                vectors, there = self.take(column, rows)
            yield (rows, vectors) if there.all() else (rows[there], vectors[there])


@dataclass(frozen=True)
class Contents:
    """What a column's vectors are of.

    Attributes:
        space: whose table holds them.
        contents: (n,) keys in that table; null where a sample has none.
    """

    space: str
    encoder: str
    dim: int
    contents: pa.Array


@dataclass(frozen=True)
class StoredVectors:
    """Vectors in a catalog's embedding tables, each table read in one pass.

    Attributes:
        held: those that are at hand already.
    """

    catalog: Catalog
    columns: Mapping[str, Contents]
    held: HeldVectors

    @property
    def dims(self) -> Mapping[str, int]:
        return {**self.held.dims, **{name: one.dim for name, one in self.columns.items()}}

    def of(self, rows: np.ndarray) -> "StoredVectors":
        chosen = pa.array(rows)
        columns = {
            name: replace(one, contents=one.contents.take(chosen))
            for name, one in self.columns.items()
        }
        return StoredVectors(self.catalog, columns, self.held.of(rows))

    def take(self, column: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if column not in self.columns:
            return self.held.take(column, rows)
        one = self.columns[column]
        contents = one.contents.take(pa.array(rows))
        return as_arrays(join_vectors(self.catalog, one.space, one.encoder, one.dim, contents))

    def batches(self, column: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        if column not in self.columns:
            yield from self.held.batches(column)
            return
        one = self.columns[column]
        stored = self.catalog.batches(
            embeddings_table(one.space, one.dim),
            ["content", "vector"],
            f"encoder = {quote(one.encoder)}",
            _rows_at_once(one.dim),
        )
        for batch in stored:
            place = pc.index_in(one.contents, value_set=batch["content"], skip_nulls=True)
            rows = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False))
            if len(rows):
                vectors, _ = as_arrays(batch["vector"])
                yield rows, vectors[place.drop_null().to_numpy()]


def _rows_at_once(dim: int) -> int:
    return max(1, _BATCH_BYTES // (4 * dim))


def as_arrays(column: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, dim) float32, zero where null, and which samples (n, bool) have one."""
    array = column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    there = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    values = array.flatten().to_numpy(zero_copy_only=False).reshape(-1, array.type.list_size)
    if there.all():
        return np.asarray(values, np.float32), there
    vectors = np.zeros((len(array), array.type.list_size), np.float32)
    vectors[there] = values
    return vectors, there
