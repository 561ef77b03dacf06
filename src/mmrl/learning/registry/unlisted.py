"""Files of models in an object store that no list names: their training was killed before it did.

They hold posts' ids as a version's files do, and no purge of the versions reaches them.
"""

from mmrl.learning.registry.database import FILE, FILES
from mmrl.learning.registry.list_store import ListStore
from mmrl.learning.registry.rebuild import is_lost
from mmrl.learning.registry.store import RECORD
from mmrl.learning.registry.stores import store_of


def drop_unlisted(home: str, before: float) -> None:
    """Deletes them, but for those written since `before` (epoch seconds): they may be listed yet.

    What was listed once stays, as does everything in a home that was moved here with MLflow's list:
    there, an earlier mmrl's versions look the same until `mmrl repair` lists them.

    Raises:
        CatalogError: the list can't be read.
    """
    store = store_of(home)
    storage = store.storage
    if not isinstance(store, ListStore) or storage.exists(FILE) or is_lost(storage):
        return
    listed = {kept.run_id for kept in store.versions()}
    for run_id in storage.folders(FILES):
        files = list(storage.walk(f"{FILES}/{run_id}"))
        was_listed = run_id in listed or any(one.name.endswith(f"/{RECORD}") for one in files)
        if not was_listed and all(one.modified < before for one in files):
            storage.delete(one.name for one in files)
