"""MLflow's SQLite file of a home, read without MLflow; its addresses are relative to the home.

MLflow writes absolute addresses. A home is moved, copied and mounted elsewhere, so mmrl itself
knows where a run's files lie (`folder_of`), and the file holds addresses relative to the home: seen
from there, MLflow's own tools find the files as well.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrl.errors import CatalogError
from mmrl.storage.location import Location

FILE = "mlflow.db"
FILES = "models"  # the folder of all runs' files
_RUN = FILES + "/' || {run} || '/artifacts"
_RELATIVE = (  # each column that holds an address, and the same relative to the home
    ("experiments", "artifact_location", f"'{FILES}'", "name = 'mmrl'"),
    ("experiments", "artifact_location", "'mlruns/0'", "name = 'Default'"),
    ("runs", "artifact_uri", f"'{_RUN.format(run='run_uuid')}'", "true"),
    ("model_versions", "source", f"'{_RUN.format(run='run_id')}/model'", "true"),
    ("model_versions", "storage_location", f"'{_RUN.format(run='run_id')}/model'", "true"),
)


def database_of(home: str | Path | Location) -> Path | None:
    """The path of a home's database; None where the home is in an object store."""
    return Location.of(home).file(FILE)


def folder_of(run_id: str) -> str:
    """The folder of a version's files in a home; as MLflow lays them out."""
    return f"{FILES}/{run_id}/artifacts/model"


def make_relative(database: Path) -> None:
    """Rewrites the addresses that MLflow made absolute, in one transaction; else changes nothing.

    Raises:
        sqlite3.Error: the file is no database, or can't be written.
    """
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, column, relative, where in _RELATIVE:
            absolute = f"({where}) AND {column} LIKE '%/%' AND {column} IS NOT {relative}"
            if connection.execute(
                f"SELECT 1 FROM {table} WHERE {absolute} LIMIT 1"  # noqa: S608 - names from _RELATIVE
            ).fetchone():
                connection.execute(
                    f"UPDATE {table} SET {column} = {relative} WHERE {absolute}"  # noqa: S608
                )


@dataclass(frozen=True)
class Kept:
    """A version as the registry keeps it.

    Attributes:
        source: the address of its files.
    """

    version: str
    run_id: str
    source: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Logged:
    """What a run logged: its metrics' last values, and its parameters."""

    metrics: Mapping[str, float]
    params: Mapping[str, str]


def versions_of(home: str | Path | Location) -> list[Kept]:
    """The versions in the home's database, oldest first; not those dropped.

    Raises:
        CatalogError: the file is no database, or lacks MLflow's tables.
    """
    tags: dict[str, dict[str, str]] = {}
    for version, key, value in _ask(home, "SELECT version, key, value FROM model_version_tags"):
        tags.setdefault(str(version), {})[key] = value
    rows = _ask(
        home,
        "SELECT version, run_id, source FROM model_versions "
        "WHERE current_stage != 'Deleted_Internal' ORDER BY version",
    )
    return [
        Kept(str(version), str(run_id), str(source), tags.get(str(version), {}))
        for version, run_id, source in rows
    ]


def alias_of(home: str | Path | Location, alias: str) -> str | None:
    """The number of the version with an alias; None where there is none.

    Raises:
        CatalogError: as `versions_of` does.
    """
    asked = "SELECT version FROM registered_model_aliases WHERE alias = ?"
    rows = _ask(home, asked, alias)
    return str(rows[0][0]) if rows else None


def logged_by(home: str | Path | Location, run_id: str) -> Logged:
    """What a run of the home's database logged.

    Raises:
        CatalogError: as `versions_of` does.
    """
    metrics = "SELECT key, CASE WHEN is_nan THEN 'nan' ELSE value END FROM latest_metrics"
    params = "SELECT key, value FROM params"
    where = "WHERE run_uuid = ?"
    return Logged(
        {key: float(value) for key, value in _ask(home, f"{metrics} {where}", run_id)},
        {key: str(value) for key, value in _ask(home, f"{params} {where}", run_id)},
    )


def require_sound(home: Location) -> None:
    """Checks every page of the home's database.

    Raises:
        CatalogError: it is broken.
    """
    rows = _ask(home, "PRAGMA quick_check")
    if rows and rows[0][0] != "ok":
        raise broken_database(home.path / FILE, str(rows[0][0]))
    versions_of(home)


def _ask(home: str | Path | Location, question: str, *values: str) -> list[tuple[Any, ...]]:
    database = database_of(home)
    if database is None or not has_database(Location.of(home)):
        return []
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as kept:
            return kept.execute(question, values).fetchall()
    except sqlite3.Error as error:
        raise broken_database(database, str(error)) from error


def has_database(home: Location) -> bool:
    """Whether a home on a disk lists models: False where nothing was ever kept.

    Raises:
        CatalogError: the database is empty or gone, and models are there that it listed.
    """
    database = home.path / FILE
    if database.is_file() and database.stat().st_size:
        return True
    if any((home.path / FILES).glob("*/artifacts/model/model.json")):
        raise broken_database(database, "it is empty, or gone")
    return False


def broken_database(database: Path, why: str) -> CatalogError:
    """The error for a database that can't be read."""
    return CatalogError(
        f"{database}, the list of the home's models, can't be read ({why}): `mmrl doctor` says "
        "what is left, and `mmrl repair` makes it again from the models' files."
    )
