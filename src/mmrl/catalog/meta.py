"""Values that a home keeps of itself, by name: its format, how far stages have read."""

import pyarrow as pa

from mmrl.catalog.protocol import Tables
from mmrl.catalog.query import quote
from mmrl.catalog.tables import META

TABLE = "meta"


def value_of(catalog: Tables, name: str) -> str | None:
    """A value; None where there is none of that name."""
    kept = catalog.read(TABLE, ["value"], _named(name))["value"].to_pylist()
    return str(kept[0]) if kept else None


def set_value(catalog: Tables, name: str, value: str) -> None:
    """Keeps a value, in the place of an earlier one."""
    catalog.upsert(TABLE, _row(name, value))


def set_once(catalog: Tables, name: str, value: str) -> None:
    """Keeps a value, unless there is one of that name; of several processes the first one's."""
    catalog.insert(TABLE, _row(name, value))


def forget(catalog: Tables, name: str) -> None:
    """Forgets a value, if there is one."""
    catalog.delete(TABLE, _named(name))


def _named(name: str) -> str:
    return f"name = {quote(name)}"


def _row(name: str, value: str) -> pa.Table:
    return pa.table({"name": [name], "value": [value]}, schema=META)
