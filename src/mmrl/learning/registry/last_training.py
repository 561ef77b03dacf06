"""The last training of a home, in one small file that is read without importing MLflow."""

import json
import os
from pathlib import Path

from mmrl.learning.registry.database import FILES
from mmrl.learning.registry.stores import store_of
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of

_FILE = f"{FILES}/last_training.json"
FINGERPRINT = "mmrl.fingerprint"  # the tag of a version


def last_training(home: str | Path) -> dict[str, str] | None:
    """`fingerprint`, `as_of` and `version` of the last training, if the registry holds it.

    None where there was none, where the file is gone or broken, or where a server lists the models
    (ask `Registry.has`).

    Raises:
        CatalogError: the registry can't be read.
    """
    data = storage_of(home).read(_FILE)
    if data is None or os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    try:
        last = json.loads(data)
        kept = {name: str(last[name]) for name in ("fingerprint", "as_of", "version")}
    except (ValueError, KeyError, TypeError):
        return None
    held = {one.version: one.tags.get(FINGERPRINT) for one in store_of(home).versions()}
    return kept if held.get(kept["version"]) == kept["fingerprint"] else None


def remember(home: str | Path | Location, fingerprint: str, as_of: str, version: str) -> None:
    """Writes what `last_training` reads."""
    kept = {"fingerprint": fingerprint, "as_of": as_of, "version": version}
    storage_of(home).write(_FILE, json.dumps(kept).encode())
