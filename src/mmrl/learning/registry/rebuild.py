"""The list of models made again from their files, where it is broken or gone."""

import json
from pathlib import Path

from mmrl.errors import MmrlError
from mmrl.learning.evaluation.record import Evaluation
from mmrl.learning.registry import list_store
from mmrl.learning.registry.database import FILE, FILES, folder_of
from mmrl.learning.registry.list_store import Found, ListStore
from mmrl.learning.registry.mlflow_store import MlflowStore
from mmrl.learning.registry.store import MODEL, RECORD
from mmrl.storage.location import Location
from mmrl.storage.opening import Storage, storage_of
from mmrl.times import iso

_EVALUATION = "evaluation.json"
_AS_OF = "mmrl.as_of"


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
    moved = broken is None and storage.exists(FILE)
    # Without a number: of an earlier mmrl's home, moved here; or a killed process never listed it.
    entries = [one for one in kept if moved or one.number is not None]
    return ListStore(location).make_again(entries, broken)


def is_lost(storage: Storage) -> bool:
    """Whether a home in an object store has no list, and models are there that one listed."""
    if storage.exists(list_store.FILE):
        return False
    file = _EVALUATION if storage.exists(FILE) else RECORD  # with MLflow's list it was moved here
    return any(storage.exists(f"{folder_of(run_id)}/{file}") for run_id in storage.folders(FILES))


def _database(home: Location, kept: list[Found]) -> list[str]:
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


def _kept(storage: Storage) -> list[Found]:
    """What the files tell, in the order of the versions; those that tell nothing are left out."""
    entries = []
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
        entries.append(Found(run_id, number, tags, evaluation))
    return sorted(entries, key=lambda one: (one.number or 0, one.evaluation.as_of))


def _add(store: MlflowStore, version: Found, newest: int) -> str:
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
