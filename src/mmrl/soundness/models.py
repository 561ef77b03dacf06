"""Models of a home: their list can be read, and every version loads."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mmrl.errors import CatalogError, MmrlError, first_line
from mmrl.learning.registry.database import FILE, FILES, require_sound
from mmrl.soundness.damage import Damage
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of

if TYPE_CHECKING:
    from mmrl.learning.registry.registry import Registry


def check_models(home: str | Path) -> Iterator[Damage]:
    """What is broken in the list of models and in the files of each."""
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return  # the server looks after them
    location = Location.of(home)
    storage = storage_of(home)
    if not storage.exists(FILE) and not storage.folders(FILES):
        return
    from mmrl.learning.registry import list_store
    from mmrl.learning.registry.rebuild import is_lost
    from mmrl.learning.registry.registry import Registry

    try:
        if location.is_local:
            require_sound(location)
        elif is_lost(storage):
            raise CatalogError("it is gone")
        registry = Registry(home)
        versions = registry.list()
    except MmrlError as error:
        yield Damage(
            FILE if location.is_local else list_store.FILE,
            first_line(error),
            "it is made again from the models' files; the broken one is kept beside it",
            lambda: _rebuild(home),
        )
        return
    for version in versions:
        number = version.version
        try:
            registry.show(number)
            registry.test_predictions(number)
            registry.load(number)
        except MmrlError as error:
            yield Damage(
                f"model version {number}",
                first_line(error),
                "it is taken off the list and its files are deleted; the next `mmrl run` trains "
                "a new one where something is new, `mmrl train --force` always does",
                _drop(registry, number),
            )
    if versions and not any(version.champion for version in versions):
        yield Damage(
            "champion",
            "no version is the champion",
            "the newest one becomes it",
            lambda: _promote_newest(registry),
        )


def _drop(registry: "Registry", version: str) -> Callable[[], None]:
    def drop() -> None:
        registry.drop(version)

    return drop


def _promote_newest(registry: "Registry") -> None:
    if registry.list():
        registry.promote("latest")


def _rebuild(home: str | Path) -> None:
    from mmrl.learning.registry.rebuild import rebuild

    rebuild(home)
