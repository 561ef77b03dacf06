"""Writers of exports: Parquet, CSV, a dataset of the Hugging Face hub's layout, WebDataset's tars.

Each takes batches and writes them as they come, into files of bounded size.
"""

import io
import json
import re
import tarfile
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from mmrl.export.contents import VECTOR
from mmrl.runtime.foreign_text import BEGIN_FORMULAS
from mmrl.times import iso

_FILE_BYTES = 500_000_000  # a file is closed once its rows hold so much in memory
_TAR_BYTES = 300_000_000
_SUFFIXES = {"JPEG": "jpg"}  # of image formats, where it is not the format's own name


class Writer(Protocol):
    """Writes batches of one schema; a context manager that ends the last file."""

    def write(self, batch: pa.Table) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class ParquetFiles:
    """Parquet files `NAME-00000.parquet`, compressed by zstd.

    Args:
        image: the column that the `datasets` library is to read as images.
    """

    def __init__(self, folder: Path, name: str, image: str | None = None) -> None:
        self._folder, self._name, self._image = folder, name, image
        self._file: pq.ParquetWriter | None = None
        self._number = self._held = 0
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, batch: pa.Table) -> None:
        """Writes a row group."""
        if self._image is not None:
            batch = _as_images(batch, self._image)
        if self._file is None:
            path = self._folder / f"{self._name}-{self._number:05}.parquet"
            self._file = pq.ParquetWriter(path, batch.schema, compression="zstd")
        self._file.write_table(batch)
        self._held += batch.nbytes
        if self._held >= _FILE_BYTES:
            self._end()

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file, self._held = None, 0
            self._number += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()


class CsvFile:
    """One CSV file, safe to open in a spreadsheet; a list or a mapping is written as JSON.

    A text that begins as a formula does, or with `'`, gets one `'` in front: a spreadsheet shows it
    as it is, and who takes one `'` off the texts that begin with it has them as they were.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{name}.csv"
        self._file: pa.csv.CSVWriter | None = None

    def write(self, batch: pa.Table) -> None:
        """Writes rows; the first ones with the columns' names above."""
        for number, field in enumerate(batch.schema):
            column = batch[field.name]
            if pa.types.is_nested(field.type):
                texts = [None if v is None else _json(v) for v in column.to_pylist()]
                batch = batch.set_column(number, field.name, pa.array(texts, pa.string()))
            elif pa.types.is_string(field.type):
                batch = batch.set_column(number, field.name, _quoted(column))
        if self._file is None:
            self._file = pa.csv.CSVWriter(self._path, batch.schema)
        self._file.write_table(batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()


def _quoted(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts with a `'` before those that a spreadsheet would not show as they are."""
    begins = "^[" + re.escape("'" + "".join(BEGIN_FORMULAS)) + "]"
    quoted = pc.binary_join_element_wise("'", texts, "")
    return pc.if_else(pc.match_substring_regex(texts, begins), quoted, texts)


class WebDataset:
    """Tar files `NAME-000000.tar`: for each post `ID.json`, its image, `ID.SPACE.npy` a vector."""

    def __init__(self, folder: Path, name: str, image: str | None = None) -> None:
        self._folder, self._name, self._image = folder, name, image
        self._tar: tarfile.TarFile | None = None
        self._number = self._held = 0
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, batch: pa.Table) -> None:
        """Writes a few files a row."""
        vectors = [field.name for field in batch.schema if field.type == VECTOR]
        for row in batch.to_pylist():
            key = str(row["post_id"]).replace(".", "_")
            for name in vectors:
                vector = row.pop(name)
                if vector is not None:
                    file = io.BytesIO()
                    np.save(file, np.asarray(vector, np.float32))
                    self._add(f"{key}.{name}.npy", file.getvalue())
            if self._image is not None:
                suffix = _SUFFIXES.get(row["format"], row["format"].lower())
                self._add(f"{key}.{suffix}", row.pop(self._image))
            self._add(f"{key}.json", _json(row).encode())
            if self._held >= _TAR_BYTES:
                self._end()

    def _add(self, name: str, data: bytes) -> None:
        if self._tar is None:
            self._tar = tarfile.open(  # noqa: SIM115 - it is closed once it is large enough
                self._folder / f"{self._name}-{self._number:06}.tar", "w"
            )
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        self._tar.addfile(entry, io.BytesIO(data))
        self._held += len(data)

    def _end(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._tar, self._held = None, 0
            self._number += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()


def writer(form: str, folder: Path, name: str, image: str | None) -> Writer:
    """The writer of a format."""
    if form == "csv":
        return CsvFile(folder, name)
    if form == "webdataset":
        return WebDataset(folder, name, image)
    if form == "hf":
        split = "test" if name == "evaluation" else "train"
        return ParquetFiles(folder / "data", split, image)
    return ParquetFiles(folder, name, image)


def _as_images(batch: pa.Table, column: str) -> pa.Table:
    """The batch with a column of bytes as the `datasets` library keeps images.

    The schema says so under the library's own key, `huggingface`.
    """
    data = batch[column].combine_chunks()
    images = pa.StructArray.from_arrays(
        [data, pa.nulls(len(data), pa.string())], names=["bytes", "path"]
    )
    batch = batch.set_column(batch.schema.get_field_index(column), column, images)
    features = {"info": {"features": {column: {"_type": "Image"}}}}
    return batch.replace_schema_metadata({"huggingface": json.dumps(features)})


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    return iso(value) if isinstance(value, datetime) else str(value)
