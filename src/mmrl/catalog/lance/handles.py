"""Handles of a catalog's tables: Lance's to read with, LanceDB's to write with.

Lance reads every table of LanceDB and is imported in a fraction of the time. So LanceDB is imported
by the first write, and not by a command that reads, or finds nothing to do.
"""

import secrets
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mmrl.catalog.lance.errors import refuse_damaged
from mmrl.catalog.lance.lancedb_import import import_lancedb
from mmrl.catalog.tables import table_of
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of

if TYPE_CHECKING:
    import lance
    import lancedb

# Lance keeps what it read of every version, up to 7 GB: a service that commits twice a minute would
# grow to that over weeks. Few of these entries are ever asked for again.
_INDEX_CACHE, _METADATA_CACHE = 16 << 20, 4 << 20  # bytes
_VECTOR_CACHE = 512 << 20  # bytes of vectors' indices, which are slow unless in memory


MADE = b"mmrl.made"  # in a table's metadata: tells it from another one of the same name


class Handles:
    """The open tables of a database, a folder or an address in an object store.

    Methods pass on what Lance and the disk raise.
    """

    def __init__(self, database: Location) -> None:
        import lance

        self._location = database
        self._session = lance.Session(
            index_cache_size_bytes=_INDEX_CACHE, metadata_cache_size_bytes=_METADATA_CACHE
        )
        self._datasets: dict[str, lance.LanceDataset] = {}
        self._searches: lance.Session | None = None
        self._searched: dict[str, lance.LanceDataset] = {}
        self._tables: dict[str, Any] = {}
        self._connected: lancedb.DBConnection | None = None

    def reading(self, name: str) -> "lance.LanceDataset | None":
        """A table as a dataset at its newest version; None where it has not been made."""
        dataset = self._datasets.get(name)
        if dataset is not None:
            newest = _newest(dataset)
            if newest == dataset.version:
                return dataset
            # A lower number: another process has dropped the table, or made it anew.
            dataset = dataset.checkout_version(newest) if newest > dataset.version else None
        if dataset is None:
            dataset = self._open(name)
        if dataset is None:
            self._datasets.pop(name, None)
        else:
            self._datasets[name] = dataset
        return dataset

    def searching(self, name: str) -> "lance.LanceDataset | None":
        """As `reading`, with room for the index of its vectors; None where there is no table."""
        import lance

        newest = self.reading(name)
        if newest is None:
            return None
        held = self._searched.get(name)
        if held is None or held.version != newest.version:
            if self._searches is None:
                self._searches = lance.Session(
                    index_cache_size_bytes=_VECTOR_CACHE, metadata_cache_size_bytes=_METADATA_CACHE
                )
            held = lance.dataset(self._address(name), newest.version, session=self._searches)
            self._searched[name] = held
        return held

    def writing(self, name: str) -> Any:
        """LanceDB's table at its newest version; None where it has not been made."""
        table = self._tables.get(name)
        if table is not None:
            try:
                table.checkout_latest()
                return table
            except (OSError, RuntimeError, ValueError) as error:
                if not _is_missing(error):
                    raise
                del self._tables[name]  # another process has dropped it
        if self.reading(name) is None:
            return None
        table = self._database.open_table(name)
        self._tables[name] = table
        return table

    def create(self, name: str, schema: pa.Schema) -> None:
        """Makes an empty table, or fails where there is one.

        LanceDB's own `create_table` first asks whether there is a table and then writes one: of two
        processes that do so at once, the second one's commit overwrites what the first one has
        written since. A commit upon version 0 without retries is Lance's strict one: it succeeds
        only where no version is there.
        """
        from lance import LanceDataset, LanceOperation

        made = {**(schema.metadata or {}), MADE: secrets.token_hex(8).encode()}
        LanceDataset.commit(
            self._address(name),
            LanceOperation.Overwrite(schema.with_metadata(made), []),
            read_version=0,
            max_retries=0,
        )

    def drop(self, name: str) -> None:
        """Drops a table with all its versions and files, if it is there."""
        self._datasets.pop(name, None)
        self._searched.pop(name, None)
        self._tables.pop(name, None)
        if name in self.names():
            self._database.drop_table(name)

    def names(self) -> list[str]:
        """The tables made so far, by name."""
        folders = storage_of(self._location).folders("")
        return [name.removesuffix(".lance") for name in folders if name.endswith(".lance")]

    @property
    def _database(self) -> "lancedb.DBConnection":
        if self._connected is None:
            lancedb = import_lancedb()
            session = lancedb.Session(
                index_cache_size_bytes=_INDEX_CACHE, metadata_cache_size_bytes=_METADATA_CACHE
            )
            self._connected = lancedb.connect(str(self._location), session=session)
        return self._connected

    def _open(self, name: str) -> "lance.LanceDataset | None":
        """The dataset; columns that it lacks, as an older mmrl made it, are added as null."""
        import lance

        try:
            dataset = lance.dataset(self._address(name), session=self._session)
        except ValueError as error:
            if not _is_missing(error):
                raise
            refuse_damaged(self._location, name)
            return None
        table = table_of(name)
        declared = [] if table is None else table.schema
        lacking = [field for field in declared if field.name not in dataset.schema.names]
        if lacking:
            dataset.add_columns(lacking)
        return dataset

    def _address(self, name: str) -> str:
        return str(self._location.join(f"{name}.lance"))


def _newest(dataset: "lance.LanceDataset") -> int:
    """The newest version of a table; 0 where it is not there any more."""
    try:
        return int(dataset.latest_version)
    except (OSError, ValueError) as error:
        if not _is_missing(error):
            raise
        return 0


def _is_missing(error: Exception) -> bool:
    return "not found" in str(error).lower()
