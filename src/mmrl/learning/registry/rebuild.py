"""The list of models made again from their files, where it is broken or gone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmrl.errors import MmrlError
from mmrl.learning.evaluation.record import Evaluation
from mmrl.learning.registry import list_store
from mmrl.learning.registry.database import FILE, FILES, folder_of
from mmrl.learning.registry.list_store import ListStore
from mmrl.learning.registry.mlflow_store import MlflowStore
from mmrl.learning.registry.store import MODEL, RECORD
from mmrl.runtime.location import Location
from mmrl.runtime.storage import Storage, storage_of
from mmrl.times import iso

_EVALUATION = "evaluation.json"
_AS_OF = "mmrl.as_of"


@dataclass(frozen=True)
class _Kept:
    """A version as its files tell of it; `number` is None where an earlier mmrl kept it."""

    run_id: str
    number: int | None
    tags: Mapping[str, str]
    evaluation: Evaluation


def rebuild(home: str | Path) -> list[str]:
    """Makes a home's list of models anew; a broken one stays beside it as `NAME.broken`.

    Versions keep their numbers where their files say them; else they are numbered in the order
    of their training. The newest one becomes champion.

    Returns:
        the versions' numbers.
    """
    location = Location.of(home)
    storage = storage_of(location)
    kept = _kept(storage)
    if location.is_local:
        return _database(location, kept)
    broken = storage.read(list_store.FILE)
    if broken is not None:
        storage.write(f"{list_store.FILE}.broken", broken)
        storage.delete([list_store.FILE])
    store = ListStore(location)
    numbers = [
        store.enlist(one.run_id, one.tags, one.evaluation, one.number or 0)
        for one in kept
        if one.number is not None  # else a killed process never came to enlist it
    ]
    if numbers:
        store.crown(numbers[-1])
    return numbers


def is_lost(storage: Storage) -> bool:
    """Whether a home's own list in an object store is gone, and models are there that it listed."""
    return not storage.exists(list_store.FILE) and any(
        storage.exists(f"{folder_of(run_id)}/{RECORD}") for run_id in storage.folders(FILES)
    )


def _database(home: Location, kept: list[_Kept]) -> list[str]:
    database = home.path / FILE
    for ending in ("-wal", "-shm", "-journal"):
        database.with_name(FILE + ending).unlink(missing_ok=True)
    if database.is_file():
        database.replace(database.with_name(f"{FILE}.broken"))
    store = MlflowStore(home, None)
    numbers: list[str] = []
    with store.keeping():
        for version in kept:
            numbers.append(_add(store, version, int(numbers[-1]) if numbers else 0))
        if numbers:
            store.crown(numbers[-1])
    return numbers


def _kept(storage: Storage) -> list[_Kept]:
    """What the files tell, in the order of the versions; those that tell nothing are left out."""
    found = []
    for run_id in storage.folders(FILES):
        folder = folder_of(run_id)
        try:
            text = (storage.read(f"{folder}/{_EVALUATION}") or b"").decode()
            evaluation = Evaluation.from_json(text)
        except (OSError, ValueError, MmrlError):
            continue
        try:
            record = json.loads(storage.read(f"{folder}/{RECORD}") or b"")
            number, tags = int(record["version"]), dict(record["tags"])
        except (OSError, ValueError, KeyError, TypeError):
            number, tags = None, {_AS_OF: iso(evaluation.as_of)}
        found.append(_Kept(run_id, number, tags, evaluation))
    return sorted(found, key=lambda one: (one.number or 0, one.evaluation.as_of))


def _add(store: MlflowStore, version: _Kept, newest: int) -> str:
    old = store.home.path / folder_of(version.run_id)

    def write(folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        old.rename(folder)
        for left in (old.parent, old.parents[1]):
            left.rmdir()

    store.make_relative()
    for _ in range(newest + 1, version.number or 0):  # numbers of versions that are gone
        store.ensure_model()
        gap = store.client.create_model_version(MODEL, FILES)
        store.client.delete_model_version(MODEL, str(gap.version))
    name = version.tags.get(_AS_OF, "")
    return store.add(name, version.tags, version.evaluation, write)
