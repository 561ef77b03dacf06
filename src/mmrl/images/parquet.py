"""Images inside Parquet files, read a few rows at a time."""

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from mmrl.catalog.reasons import Reason
from mmrl.images.image import Refused

_ROWS = 16  # read at once; images of some megabytes each
_BATCHES = 4  # kept of a file, as rows are asked for almost in order
_FILES = 4  # kept open


class _Column:
    """The images of one column of a Parquet file."""

    def __init__(self, path: Path, column: str) -> None:
        import pyarrow.parquet as pq

        self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        kind = self._file.schema_arrow.field(column).type
        inside = getattr(kind, "num_fields", 0)
        self._column, self._leaf = column, f"{column}.bytes" if inside else column
        ends, end = [], 0
        for group in range(self._file.metadata.num_row_groups):
            end += self._file.metadata.row_group(group).num_rows
            ends.append(end)
        self._ends = ends
        self._batches: OrderedDict[int, list[Any]] = OrderedDict()  # by their first row
        self._reader: Any = None
        self._next = -1  # the first row of the reader's next batch

    def read(self, row: int) -> bytes | None:
        """The bytes of a row's image; None where the row has none."""
        while True:
            for first, values in self._batches.items():
                if first <= row < first + len(values):
                    value = values[row - first]
                    value = value.get("bytes") if isinstance(value, dict) else value
                    return value if isinstance(value, bytes) else None
            self._advance(row)

    def _advance(self, row: int) -> None:
        group = next(group for group, end in enumerate(self._ends) if row < end)
        began = self._ends[group - 1] if group else 0
        if not (began <= self._next <= row):
            self._reader = self._file.iter_batches(
                _ROWS, row_groups=[group], columns=[self._leaf], use_threads=False
            )
            self._next = began
        values = next(self._reader).column(0).to_pylist()
        self._batches[self._next] = values
        self._next += len(values)
        while len(self._batches) > _BATCHES:
            self._batches.popitem(last=False)


_open: OrderedDict[tuple[str, str, int], _Column] = OrderedDict()
_lock = threading.Lock()


def image_bytes(path: Path, place: str) -> bytes | Refused:
    """The bytes of an image inside a Parquet file; safe to call from several threads.

    Args:
        place: column, row and the file's size when it was imported, as a URL's query.
    """
    import pyarrow as pa

    named = dict(parse_qsl(place))
    try:
        column, row, size = named["column"], int(named["row"]), int(named["size"])
        if path.stat().st_size != size:
            return Refused(Reason.FILE_MISSING, f"{path} is not the file that was imported")
        with _lock:
            key = str(path), column, size
            if key not in _open:
                _open[key] = _Column(path, column)
                while len(_open) > _FILES:
                    _open.popitem(last=False)
            data = _open[key].read(row)
    except (KeyError, ValueError, StopIteration) as error:
        return Refused(Reason.FILE_MISSING, f"{path} has no such image ({error})")
    except (pa.ArrowException, OSError) as error:
        return Refused(Reason.FILE_MISSING, f"{path} can't be read: {error}")
    return Refused(Reason.FILE_MISSING, f"row {row + 1} has no image") if data is None else data
