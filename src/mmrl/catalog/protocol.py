"""The catalog as its own parts see it: rows read and written by table name."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa


class Tables(Protocol):
    """What rows are looked up in, and tombstones and failures kept in; see `Catalog`."""

    def read(
        self, table: str, columns: Sequence[str] | None = None, where: str | None = None
    ) -> pa.Table: ...

    def lookup(
        self,
        table: str,
        column: str,
        values: "Iterable[str] | pa.ChunkedArray | None",
        columns: Sequence[str] | None = None,
        where: str | None = None,
    ) -> pa.Table: ...

    def batches(
        self, table: str, columns: Sequence[str] | None = None, where: str | None = None
    ) -> Iterator[pa.RecordBatch]: ...

    def count(self, table: str, where: str | None = None) -> int: ...

    def insert(self, table: str, rows: pa.Table) -> int: ...

    def upsert(self, table: str, rows: pa.Table) -> None: ...

    def delete(self, table: str, where: str) -> None: ...

    def opened(self, name: str) -> Any: ...
