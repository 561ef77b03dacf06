"""Made-up rows for tables of a benchmark's home."""

from typing import Any

import numpy as np
import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.tables import schema_of


def keep(catalog: Catalog, table: str, count: int, **columns: Any) -> None:
    """Adds rows of new keys; a single value stands for a column of it, other columns are null."""
    schema = schema_of(table)
    held = {field.name: pa.nulls(count, field.type) for field in schema}
    for name, values in columns.items():
        if not isinstance(values, list | np.ndarray | pa.Array):
            values = pa.repeat(values, count)
        held[name] = (
            pa.array(values, schema.field(name).type) if isinstance(values, list) else values
        )
    catalog.append(table, pa.table(held).select(schema.names).cast(schema))
