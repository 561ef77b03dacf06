"""The numbers of the versions that are kept, without importing MLflow where the home lists them."""

from pathlib import Path

from mmrl.learning.registry.stores import store_of


def versions_kept(home: str | Path) -> list[str]:
    """The numbers of the versions that are kept, oldest first.

    MLflow is imported only where its server lists the models.

    Raises:
        CatalogError: the registry can't be read.
    """
    store = store_of(home)
    with store.reading():
        return [kept.version for kept in store.versions()]
