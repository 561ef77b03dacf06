"""The last training of a home, in one small file that is read without importing MLflow."""

import json
from pathlib import Path

from mmrl.learning.registry.database import holds
from mmrl.runtime.location import Location
from mmrl.runtime.whole_files import write_whole

_FILE = "last_training.json"


def last_training(home: str | Path) -> dict[str, str] | None:
    """`fingerprint`, `as_of` and `version` of the last training, if the registry holds it.

    None where there was none, where the file is gone or broken, or where the home is in an object
    store (ask `Registry.has`).

    Raises:
        CatalogError: the registry can't be read.
    """
    path = Location.of(home).file("models", _FILE)
    if path is None or not path.is_file():
        return None
    try:
        last = json.loads(path.read_text(encoding="utf-8"))
        kept = {name: str(last[name]) for name in ("fingerprint", "as_of", "version")}
    except (ValueError, KeyError, TypeError):
        return None
    return kept if holds(home, kept["version"], kept["fingerprint"]) else None


def remember(home: str | Path | Location, fingerprint: str, as_of: str, version: str) -> None:
    """Writes what `last_training` reads; nothing where the home is in an object store."""
    folder = Location.of(home).file("models")
    if folder is None:
        return
    folder.mkdir(exist_ok=True)
    kept = {"fingerprint": fingerprint, "as_of": as_of, "version": version}
    write_whole(folder / _FILE, json.dumps(kept))
