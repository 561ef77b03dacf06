"""The numbers of the versions that are kept, without importing MLflow where the home lists them."""

import os
from pathlib import Path

from mmrl.learning.registry.database import version_numbers
from mmrl.runtime.location import Location


def versions_kept(home: str | Path) -> list[str]:
    """The numbers of the versions that are kept, oldest first.

    MLflow is imported only where its server lists the models.

    Raises:
        CatalogError: the registry can't be read.
    """
    if os.environ.get("MLFLOW_TRACKING_URI") or not Location.of(home).is_local:
        from mmrl.learning.registry.registry import Registry

        return [version.version for version in Registry(home).list()]
    return [str(number) for number in version_numbers(home)]
