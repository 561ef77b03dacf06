"""Models of a home: their list can be read, and every version loads."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mmrl.errors import MmrlError, first_line
from mmrl.learning.registry.database import FILE, require_sound
from mmrl.repair.damage import Damage
from mmrl.runtime.location import Location

if TYPE_CHECKING:
    from mmrl.learning.registry.registry import Registry


def check_models(home: str | Path) -> Iterator[Damage]:
    """What is broken in the list of models and in the files of each."""
    if os.environ.get("MLFLOW_TRACKING_URI") or not Location.of(home).is_local:
        return  # the server looks after them
    location = Location.of(home)
    if not (location.path / FILE).exists() and not (location.path / "models").is_dir():
        return
    from mmrl.learning.registry.registry import Registry

    try:
        require_sound(location)
        registry = Registry(home)
        versions = registry.list()
    except MmrlError as error:
        yield Damage(
            FILE,
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
