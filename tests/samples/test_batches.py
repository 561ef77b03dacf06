"""Vectors read some at a time are those that would be read at once."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mmrl.catalog import Catalog
from mmrl.catalog.tables import embeddings
from mmrl.samples import batches
from mmrl.samples.batches import Contents, HeldVectors, StoredVectors
from mmrl.samples.vectors import join_vectors, vector_column

DIM = 3
CONTENTS = ["b", None, "a", "b", "never embedded", *(f"c{number}" for number in range(30))]


@pytest.fixture
def both(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> tuple[StoredVectors, HeldVectors, pa.Table]:
    """Stored vectors and the same at hand, four at a time; and the table that holds them."""
    monkeypatch.setattr(batches, "_BATCH_BYTES", 4 * 4 * DIM)
    rng = np.random.default_rng(0)
    stored = ["a", "b", *(f"c{number}" for number in range(30)), "of no post"]
    for encoder in ("e", "another"):
        rows = {
            "content": stored,
            "encoder": [encoder] * len(stored),
            "vector": vector_column(list(rng.normal(size=(len(stored), DIM))), DIM),
        }
        catalog.insert(f"embeddings_title_{DIM}", pa.table(rows).cast(embeddings(DIM)))
    contents = pa.array(CONTENTS, pa.string())
    of_title = Contents("title", "e", DIM, contents)
    colours = pa.table({"colours": vector_column([np.ones(2)] * len(CONTENTS), 2)})
    joined = join_vectors(catalog, "title", "e", DIM, contents)
    held = HeldVectors(colours.append_column("title", joined))
    return StoredVectors(catalog, {"title": of_title}, HeldVectors(colours)), held, held.table


def dense(vectors: Any, column: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """All vectors of a column put where they belong, and how often each row came."""
    values, came = np.zeros((n, vectors.dims[column])), np.zeros(n, int)
    for rows, read in vectors.batches(column):
        values[rows] = read
        came[rows] += 1
    return values, came


@pytest.mark.parametrize("column", ["title", "colours"])
def test_batches_bring_every_vector_once_to_each_sample_that_has_it(
    both: tuple[StoredVectors, HeldVectors, pa.Table], column: str
) -> None:
    stored, held, table = both
    there = table[column].is_valid().to_numpy().astype(int)
    expected = [vector or [0.0] * held.dims[column] for vector in table[column].to_pylist()]
    for vectors in (stored, held):
        values, came = dense(vectors, column, len(CONTENTS))
        assert came.tolist() == there.tolist()
        assert values == pytest.approx(np.array(expected))


@pytest.mark.parametrize("column", ["title", "colours"])
def test_some_samples_vectors_come_in_the_order_asked_for(
    both: tuple[StoredVectors, HeldVectors, pa.Table], column: str
) -> None:
    stored, held, _ = both
    rows, some = np.array([20, 3, 1, 0]), np.array([2, 0, 1])
    for one, other in zip(stored.take(column, rows), held.take(column, rows), strict=True):
        assert one.tolist() == other.tolist()
    for one, other in zip(
        stored.of(rows).take(column, some), held.take(column, rows[some]), strict=True
    ):
        assert one.tolist() == other.tolist()
    for vectors in (stored, held):
        values, _ = dense(vectors.of(rows), column, len(rows))
        assert values == pytest.approx(held.take(column, rows)[0])
