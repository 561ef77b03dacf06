"""The catalog: everything mmrl knows, in LanceDB tables under one home.

Writes are single commits of Lance, so a kill leaves a table as it was before or after one, never
between. Two processes that write the same new key at once end up with one row: see `insertion`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mmrl.catalog import failures as failures_table
from mmrl.catalog.columns import key_columns
from mmrl.catalog.failures import Failed
from mmrl.catalog.format import check_format, no_home
from mmrl.catalog.lance import upkeep
from mmrl.catalog.lance.errors import clear_errors
from mmrl.catalog.lance.handles import MADE, Handles
from mmrl.catalog.lance.insertion import insert_new
from mmrl.catalog.lance.joined import Ages
from mmrl.catalog.lookup import rows_among
from mmrl.catalog.query import distinct_values
from mmrl.catalog.tables import empty_table, schema_of
from mmrl.catalog.tombstones import not_purged
from mmrl.errors import ConfigError
from mmrl.storage.bucket import Bucket
from mmrl.storage.location import Location

if TYPE_CHECKING:
    import lance
    import numpy as np

_PROBED, _REFINED = 20, 5  # lists of an index that are looked in; candidates compared for a row


class Catalog:
    """The tables under one home, a folder or an object-store URI such as `s3://bucket/mmrl`."""

    def __init__(self, home: str, handles: Handles) -> None:
        self.home = home
        self._handles = handles

    @classmethod
    def open(cls, home: str | Path, *, create: bool = False) -> "Catalog":
        """Opens the catalog of a home.

        Raises:
            NotFoundError: there is none and `create` is false.
            ConfigError: a newer mmrl wrote it.
            CatalogError: it can't be read or written.
        """
        location = Location.of(home)
        with clear_errors(str(location)):
            if location.is_local:
                location = Location.of(location.path.absolute())
                folder = location.path
                if "?" in str(folder):
                    raise ConfigError(
                        f"{folder} can't be a home: Lance, which keeps the tables, takes what "
                        "follows a `?` for a query. Choose a folder without `?` in its path."
                    )
                if not (folder / "catalog").is_dir():
                    if not create:
                        raise no_home(folder)
                    (folder / "catalog").mkdir(parents=True, exist_ok=True)
            else:
                Bucket.of(location).require_conditions()
            catalog = cls(str(location), Handles(location.join("catalog")))
            check_format(catalog, catalog.home, create)
        return catalog

    # Reading

    def read(
        self, table: str, columns: Sequence[str] | None = None, where: str | None = None
    ) -> pa.Table:
        """Rows of a table, in no promised order.

        Args:
            columns: those wanted; all by default.
            where: a Lance SQL filter, such as `created_at < timestamp '2026-11-22 00:00:00'`.
        """
        dataset = self._reading(table)
        if dataset is None:
            return empty_table(table, columns)
        with clear_errors(self.home):
            return dataset.to_table(
                columns=None if columns is None else list(columns), filter=where
            )

    def lookup(
        self,
        table: str,
        column: str,
        values: "Iterable[str] | pa.Array | pa.ChunkedArray | None",
        columns: Sequence[str] | None = None,
        where: str | None = None,
    ) -> pa.Table:
        """Rows whose `column` is among `values`; values that are not there are simply absent.

        Few values are asked for, many found in a pass over the table, or in the span of close ids.
        Memory: the rows found, and a few batches of the pass.

        Args:
            values: in any order; repeated and null ones count once and not at all. None: all rows.
            columns: those wanted; all by default.
            where: a Lance SQL filter that the rows meet besides.
        """
        if values is None:
            return self.read(table, columns, where)
        parts = list(rows_among(self, table, column, distinct_values(values), columns, where))
        return pa.concat_tables(parts) if parts else self._no_rows(table, columns)

    def batches(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        rows: int | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """What `read` reads, some rows at a time.

        Args:
            rows: at once, at the most.
        """
        dataset = self._reading(table)
        if dataset is None:
            return
        with clear_errors(self.home):
            scanner = dataset.scanner(
                columns=None if columns is None else list(columns),
                filter=where,
                batch_size=rows,
                batch_readahead=2,
                fragment_readahead=1,
            )
            yield from scanner.to_batches()

    def read_since(self, table: str, columns: Sequence[str], cursor: str) -> tuple[pa.Table, str]:
        """Rows written after a cursor, and the cursor to hand in next time; "" reads all.

        Its cost follows what is new. Rows that were replaced come again, and those that share a
        file with new ones since small files were joined; rows that were deleted don't come at all.
        """
        dataset = self._reading(table)
        if dataset is None:
            return empty_table(table, columns), ""
        with clear_errors(self.home):
            now = _cursor(dataset)
            if now == cursor:
                return empty_table(table, columns), now
            made, _, last = cursor.rpartition("/")
            if not now.startswith(f"{made}/"):  # the table was made anew
                last = ""
            known, ages = int(last or -1), Ages(self, table)
            new = [one for one in dataset.get_fragments() if ages.of(one) > known]
            if not new:
                return empty_table(table, columns), now
            return dataset.scanner(columns=list(columns), fragments=new).to_table(), now

    def last_written(self, table: str) -> str:
        """The cursor that `read_since` would give now."""
        dataset = self._reading(table)
        if dataset is None:
            return ""
        with clear_errors(self.home):
            return _cursor(dataset)

    def nearest(
        self,
        table: str,
        vector: "np.ndarray",
        most: int,
        columns: Sequence[str],
        where: str | None = None,
    ) -> pa.Table:
        """Rows of an embedding table by their vectors' likeness to one, the most alike first.

        A large table's index finds them, nearly always the same that comparing all would find.

        Args:
            vector: (dim,) float32.
            most: how many rows.
            where: a Lance SQL filter that the rows meet.

        Returns:
            the columns, and `_distance`: 1 less the cosine of the angle.
        """
        with clear_errors(self.home):
            dataset = self._handles.searching(table)
            if dataset is None:
                return empty_table(table, columns).append_column(
                    "_distance", pa.array([], pa.float32())
                )
            near = {"column": "vector", "q": vector, "k": most, "metric": "cosine"}
            near |= {"nprobes": _PROBED, "refine_factor": _REFINED}
            neighbours = dataset.to_table(
                [*columns, "_distance"], filter=where, nearest=near, prefilter=where is not None
            )
            return neighbours.sort_by("_distance")

    def count(self, table: str, where: str | None = None) -> int:
        """The number of rows of a table, or of those that meet a filter."""
        dataset = self._reading(table)
        if dataset is None:
            return 0
        with clear_errors(self.home):
            return int(dataset.count_rows(where))

    def table_names(self) -> list[str]:
        """The tables made so far, by name."""
        with clear_errors(self.home):
            return self._handles.names()

    def versions(self) -> dict[str, int]:
        """Each table's version; with it a training set can be read again as it was."""
        datasets = ((name, self._reading(name)) for name in self.table_names())
        return {name: dataset.version for name, dataset in datasets if dataset is not None}

    # Writing

    def upsert(self, table: str, rows: pa.Table) -> None:
        """Inserts the rows whose key is not there, and then replaces those that are.

        One commit, or one for each kind where there are rows of both. Rows of posts that were
        purged are left out, as in `insert` and `append`.
        """
        rows = not_purged(self, table, rows)
        if rows.num_rows == 0:
            return
        keys, known = self._insert_new(table, rows)
        if known.num_rows:
            with clear_errors(self.home):
                self.opened(table).merge_insert(keys).when_matched_update_all().execute(known)

    def insert(self, table: str, rows: pa.Table) -> int:
        """Inserts the rows whose key is not there, in one commit; changes no row that is.

        Returns:
            how many were inserted.
        """
        rows = not_purged(self, table, rows)
        if rows.num_rows == 0:
            return 0
        _, known = self._insert_new(table, rows)
        return rows.num_rows - known.num_rows

    def append(self, table: str, rows: pa.Table) -> None:
        """Adds rows whose keys the caller knows to be new, in one commit, and looks up none."""
        rows = not_purged(self, table, rows)
        if rows.num_rows == 0:
            return
        made = self._open_or_create(table)
        with clear_errors(self.home):
            self.opened(table).add(_fit(rows, made.schema))

    def delete(self, table: str, where: str) -> None:
        """Deletes the rows that meet a filter."""
        opened = self.opened(table)
        if opened is not None:
            with clear_errors(self.home):
                opened.delete(where)

    # Upkeep

    def compact(self, tables: Sequence[str] | None = None) -> None:
        """Joins the small files that many commits left behind and indexes the keys of large tables.

        Changes no row and drops no version. A table that another process is writing to at that
        moment is left for the next time.

        Args:
            tables: those to do; all by default.
        """
        for name in self.table_names() if tables is None else tables:
            opened = self.opened(name)
            if opened is not None:
                with clear_errors(self.home):
                    upkeep.compact(opened, name, Ages(self, name).note)

    def drop_versions(self, tables: Sequence[str], older_than: timedelta) -> int:
        """Drops versions of tables that are older than this, and the files only they hold.

        The newest version and versions with a tag stay. A service that commits every half minute
        makes a million versions a year, and each one makes opening the table slower.

        Returns:
            how many versions were dropped.
        """
        dropped = 0
        for name in tables:
            opened = self.opened(name)
            if opened is not None:
                with clear_errors(self.home):
                    dropped += upkeep.drop_versions(opened, older_than)
        return dropped

    # Failures

    def fail(self, stage: str, failures: Iterable[Failed], as_of: datetime) -> None:
        """Records failed items, counting their attempts and setting when to try them again."""
        failures_table.fail(self, stage, failures, as_of)

    def open_failures(
        self,
        stage: str,
        as_of: datetime,
        encoder: str | None = None,
        keys: "pa.ChunkedArray | None" = None,
    ) -> pa.ChunkedArray:
        """The keys of a stage that failed and are not to be tried at `as_of`.

        Args:
            encoder: the model that would try; what only another one failed on is not among them.
            keys: of these only; all by default.
        """
        return failures_table.open_failures(self, stage, as_of, encoder, keys)

    def due_failures(self, stage: str, as_of: datetime) -> pa.ChunkedArray:
        """The keys of a stage that failed and are to be tried again at `as_of`."""
        return failures_table.due_failures(self, stage, as_of)

    def clear_failures(self, stage: str, keys: Iterable[str]) -> None:
        """Forgets failures of items that have since been done."""
        failures_table.clear_failures(self, stage, keys)

    # Tables

    def opened(self, name: str) -> Any:
        """LanceDB's own table at its newest version, for what else is to be done; None: none."""
        with clear_errors(self.home):
            return self._handles.writing(name)

    def drop(self, name: str) -> None:
        """Drops a table with all its versions and files."""
        with clear_errors(self.home):
            self._handles.drop(name)

    def _insert_new(self, table: str, rows: pa.Table) -> tuple[list[str], pa.Table]:
        """Inserts the rows that are not there; the table's keys, and the rows that are there."""
        made = self._open_or_create(table)
        keys = key_columns(made.schema)

        def newest() -> "lance.LanceDataset":
            return self._open_or_create(table)

        with clear_errors(self.home):
            return keys, insert_new(self, newest, table, keys, _fit(rows, made.schema))

    def _reading(self, name: str) -> "lance.LanceDataset | None":
        with clear_errors(self.home):
            return self._handles.reading(name)

    def _no_rows(self, name: str, columns: Sequence[str] | None) -> pa.Table:
        """What `read` gives where no row meets its filter, without a look at the rows."""
        dataset = self._reading(name)
        if dataset is None:
            return empty_table(name, columns)
        empty = dataset.schema.remove_metadata().empty_table()
        if columns is None:
            return empty
        if set(columns) - set(empty.column_names):
            return self.read(name, columns, "false")  # says which there are
        return empty.select(list(columns))

    def _open_or_create(self, name: str) -> "lance.LanceDataset":
        dataset = self._reading(name)
        if dataset is not None:
            return dataset
        schema = schema_of(name)
        with clear_errors(self.home):
            try:
                self._handles.create(name, schema)
            except (OSError, RuntimeError):
                if self._handles.reading(name) is None:  # not even another process has made it
                    raise
            dataset = self._handles.reading(name)
        assert dataset is not None
        return dataset


def _cursor(dataset: "lance.LanceDataset") -> str:
    """Which table it is, and the number of its newest fragment; see `joined`."""
    made = (dataset.schema.metadata or {}).get(MADE, b"").decode()
    return f"{made}/{max((one.fragment_id for one in dataset.get_fragments()), default=-1)}"


def _fit(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with exactly the schema's columns, in its order and types."""
    return rows.select(schema.names).cast(schema)
