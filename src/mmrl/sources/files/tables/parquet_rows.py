"""Rows of Parquet files; pictures inside them stay there until they are fetched."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mmrl.errors import InputError
from mmrl.runtime.foreign_text import shown
from mmrl.sources.fields import Unheld
from mmrl.sources.files.content import file_size
from mmrl.sources.post import Refused

_ROWS = 1_000  # rows in memory at once
Row = tuple[int, dict[str, Any] | Refused, int]


class ParquetRows:
    """The rows of a Parquet file.

    Attributes:
        names: the columns.
        pictures: of those, the ones that hold image files: bytes, or bytes and a path, as Hugging
            Face's image feature writes them.

    Raises:
        InputError: it is not a readable Parquet file.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow.types as types

        self.path = path
        schema = self._open().schema_arrow
        self.names = [str(name) for name in schema.names]
        self.pictures = {
            field.name for field in schema if _holds_bytes(field.type, types) is not None
        }
        self._paths = {
            field.name
            for field in schema
            if types.is_struct(field.type) and field.type.get_field_index("path") >= 0
        }

    def describe(self) -> str:
        """The pictures inside, in words; empty where there are none."""
        inside = ", ".join(shown(name) for name in sorted(self.pictures))
        return f"pictures inside: {inside}" if inside else ""

    def rows(self, columns: Iterable[str] = ()) -> Iterator[Row]:
        """Rows with their numbers, and how far the file was read; values are Python's, or `Unheld`.

        A picture's bytes are left out: its value is its path, or "" where it has none.

        Args:
            columns: those wanted; all by default.

        Raises:
            InputError: the file is damaged from some row on.
        """
        import pyarrow as pa

        file = self._open()
        chosen = set(columns) & set(self.names) or set(self.names)
        read = [name for name in sorted(chosen) if name not in self.pictures]
        read += [f"{name}.path" for name in sorted(chosen & self.pictures & self._paths)]
        size, total, number = file_size(self.path), max(file.metadata.num_rows, 1), 0
        try:
            for batch in file.iter_batches(_ROWS, columns=read):
                for record in _records(batch):
                    number += 1
                    for name in chosen & self.pictures:
                        record[name] = _path(record.get(name))
                    yield number, record, size * number // total
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{self.path} is damaged after row {number:,}: {shown(str(error), 200)}"
            ) from None

    def _open(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(self.path)
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{self.path} is not a readable Parquet file: {shown(str(error), 200)}"
            ) from None


def _holds_bytes(kind: Any, types: Any) -> Any:
    if types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return None if place < 0 else _holds_bytes(kind.field(place).type, types)
    return kind if types.is_binary(kind) or types.is_large_binary(kind) else None


def _path(picture: Any) -> str:
    path = picture.get("path") if isinstance(picture, dict) else None
    return path if isinstance(path, str) else ""


def _records(batch: Any) -> list[dict[str, Any]]:
    """A batch's rows; a value that Python can't hold costs itself."""
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError, ArithmeticError):
        names, columns = batch.schema.names, [_in_utc(column) for column in batch.columns]
        return [
            {name: _cell(column, row) for name, column in zip(names, columns, strict=True)}
            for row in range(batch.num_rows)
        ]


def _in_utc(column: Any) -> Any:
    """Times with their zone's name, which Python may not know, taken off: they are in UTC."""
    import pyarrow as pa

    zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
    return column.cast(pa.timestamp(column.type.unit, "UTC")) if zoned else column


def _cell(column: Any, row: int) -> Any:
    import pyarrow.types as types

    try:
        return column[row].as_py()
    except (ValueError, OverflowError, ArithmeticError):
        kind = column.type
        if types.is_timestamp(kind) or types.is_date(kind):
            return Unheld("a time before the year 1 or after 9999", is_time=True)
        if types.is_string(kind) or types.is_large_string(kind):
            return Unheld("bytes that are no UTF-8")
        return Unheld(f"a value of type {shown(str(kind))} that Python can't hold")
