"""Rows of catalog tables, made by their keys alone."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from mmrl.catalog.tables import SCHEMAS, embeddings

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def selection(ids: list[str], rules: str = "r", at: datetime = NOON) -> pa.Table:
    """Posts that a filter with these rules keeps."""
    rows = [{"post_id": i, "rules": rules, "reason": None, "decided_at": at} for i in ids]
    return pa.Table.from_pylist(rows, schema=SCHEMAS["selection"])


def vector_rows(vectors: np.ndarray, start: int = 0) -> pa.Table:
    """Rows of an embedding table; contents are numbered from `start`."""
    columns = {
        "content": [f"c{start + row}" for row in range(len(vectors))],
        "encoder": ["e"] * len(vectors),
        "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
    }
    return pa.table(columns).cast(embeddings(vectors.shape[1]))


def seen(ids: list[str], at: datetime = NOON) -> pa.Table:
    """Observations of posts at one time, of which nothing else is known."""
    rows = [{"post_id": post, "observed_at": at} for post in ids]
    return pa.Table.from_pylist(rows, schema=SCHEMAS["observations"])
