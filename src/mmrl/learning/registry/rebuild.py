"""`mlflow.db` made again from the files of the models, where it is broken or gone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmrl.errors import MmrlError
from mmrl.learning.evaluation.record import Evaluation
from mmrl.learning.registry.database import FILE, FILES
from mmrl.learning.registry.store import CHAMPION, MODEL, RECORD, Store
from mmrl.runtime.location import Location
from mmrl.times import iso

_EVALUATION = "evaluation.json"
_AS_OF = "mmrl.as_of"


@dataclass(frozen=True)
class _Kept:
    """A version as its folder tells of it; `number` is None where an earlier mmrl kept it."""

    folder: Path
    number: int | None
    tags: Mapping[str, str]
    evaluation: Evaluation


def rebuild(home: str | Path) -> list[str]:
    """Makes the home's database anew; the broken one stays beside it as `mlflow.db.broken`.

    Versions keep their numbers where their folder says them; else they are numbered in the order
    of their training. The newest one becomes champion.

    Returns:
        the versions' numbers.
    """
    location = Location.of(home)
    database = location.path / FILE
    kept = _kept(location.path / FILES)
    for ending in ("-wal", "-shm", "-journal"):
        database.with_name(FILE + ending).unlink(missing_ok=True)
    if database.is_file():
        database.replace(database.with_name(f"{FILE}.broken"))
    store = Store(home)
    numbers: list[str] = []
    with store.keeping():
        for version in kept:
            numbers.append(_add(store, version, int(numbers[-1]) if numbers else 0))
        if numbers:
            store.client.set_registered_model_alias(MODEL, CHAMPION, numbers[-1])
    return numbers


def _kept(files: Path) -> list[_Kept]:
    """What the folders tell, in the order of the versions; those that tell nothing are left out."""
    found = []
    for folder in files.glob("*/artifacts/model"):
        try:
            evaluation = Evaluation.from_json((folder / _EVALUATION).read_text(encoding="utf-8"))
        except (OSError, ValueError, MmrlError):
            continue
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            number, tags = int(record["version"]), dict(record["tags"])
        except (OSError, ValueError, KeyError, TypeError):
            number, tags = None, {_AS_OF: iso(evaluation.as_of)}
        found.append(_Kept(folder, number, tags, evaluation))
    return sorted(found, key=lambda one: (one.number or 0, one.evaluation.as_of))


def _add(store: Store, version: _Kept, newest: int) -> str:
    def write(folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        version.folder.rename(folder)
        for left in (version.folder.parent, version.folder.parents[1]):
            left.rmdir()

    store.make_relative()
    for _ in range(newest + 1, version.number or 0):  # numbers of versions that are gone
        store.ensure_model()
        gap = store.client.create_model_version(MODEL, FILES)
        store.client.delete_model_version(MODEL, str(gap.version))
    name = version.tags.get(_AS_OF, "")
    return store.add(name, version.tags, version.evaluation, write)
