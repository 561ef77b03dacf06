"""The home that an earlier mmrl made, unpacked from its archive.

`fixtures/earlier_home.tar.xz` was made by version 0.1.0 at revision 613f299 with
`mmrl demo --posts 130 --seed 3` (simulated posts), compacted.
"""

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

from tests.support.paths import FIXTURES

ARCHIVE = FIXTURES / "earlier_home.tar.xz"
AS_OF = "2026-08-11T21:00:00Z"  # the time it was made for
TRAINED_WITH = {"MIN_SAMPLES": "50", "BOOTSTRAP": "100", "ABLATION": "false"}  # MMRL_TRAIN__*
_MADE_AT = "/old-home"  # stands in the archive's mlflow.db for the folder the home was made in
_ADDRESSES = {
    "runs": ["artifact_uri"],
    "experiments": ["artifact_location"],
    "model_versions": ["source", "storage_location"],
}


def unpack_earlier_home(folder: Path) -> None:
    """Makes the home in a new folder."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        for table, columns in _ADDRESSES.items():
            for column in columns:
                database.execute(  # names from the list above
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?)",  # noqa: S608
                    (_MADE_AT, str(folder)),
                )


def train_variables() -> dict[str, str]:
    """Environment variables with which its model was trained, and is trained again in a moment."""
    return {f"MMRL_TRAIN__{name}": value for name, value in TRAINED_WITH.items()}
