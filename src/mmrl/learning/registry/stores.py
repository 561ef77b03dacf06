"""Choice of the store that keeps a home's models."""

import os
from pathlib import Path

from mmrl.learning.registry.list_store import ListStore
from mmrl.learning.registry.mlflow_store import MlflowStore
from mmrl.learning.registry.store import Store
from mmrl.storage.location import Location


def store_of(home: str | Path) -> Store:
    """What the models of a home are kept by."""
    location = Location.of(home)
    server = os.environ.get("MLFLOW_TRACKING_URI")
    if server or location.is_local:
        return MlflowStore(location, server or None)
    return ListStore(location)
