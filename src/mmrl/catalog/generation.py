"""The generation of a catalog's rows: another one once rows went behind the stages' backs.

Stages find new work by what was written. What a purge erases or a repair takes out is written
nowhere, so both begin a new generation, and stages look at everything once more.
"""

import secrets

import pyarrow as pa

from mmrl.catalog.protocol import Tables
from mmrl.catalog.tables import META

_NAME = "generation"


def generation(catalog: Tables) -> str:
    """The present generation; "" before there was another."""
    kept = catalog.read("meta", ["value"], f"name = '{_NAME}'")["value"].to_pylist()
    return str(kept[0]) if kept else ""


def begin_generation(catalog: Tables) -> None:
    """Begins a new one; to be called where rows were taken out."""
    row = {"name": [_NAME], "value": [secrets.token_hex(8)]}
    catalog.upsert("meta", pa.table(row, schema=META))
