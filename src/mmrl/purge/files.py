"""Files of tables, rewritten so that deleted rows leave the disk.

Lance deletes softly: a row is marked, its bytes stay in the file, and older versions of the table
still show it. So files that hold deleted rows are written anew without them, and every older
version is dropped, with the files that only it had.
"""

import itertools
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mmrl.catalog import Catalog
from mmrl.catalog.lance.upkeep import fragments_of, index_again
from mmrl.errors import CatalogError
from mmrl.runtime.retry import PURGE_FILES
from mmrl.sources.files.unfinished import FOLDER as UNFINISHED
from mmrl.storage.opening import storage_of

_LEFTOVER_SECONDS = 600.0  # a file that no version names by then is of a process that was killed
Done = TypeVar("Done")


def rewrite(catalog: Catalog, table: str) -> int:
    """Writes the files of a table that hold deleted rows anew, without them.

    Returns:
        the first version whose files hold nothing deleted.

    Raises:
        CatalogError: other writers never left a moment for it.
    """
    return persist(lambda: _rewrite(catalog, table))


def drop_before(catalog: Catalog, table: str, version: int) -> int:
    """Drops all versions of a table before this one; returns how many had to stay.

    Versions with a tag of the user's stay, and what they hold with them.
    """
    dataset = catalog.opened(table).to_lance()
    old = [known["version"] for known in dataset.versions() if known["version"] < version]
    if old:
        dataset.cleanup_old_versions(versions=old, error_if_tagged_old_versions=False)
        old = [known["version"] for known in dataset.versions() if known["version"] < version]
    return len(old)


def drop_leftovers(catalog: Catalog, table: str) -> int:
    """Deletes files that a killed process left behind and no version names; returns how many.

    Lance itself would keep them for a week.
    """
    dataset = catalog.opened(table).to_lance()
    named: set[str] = set()
    versions = [known["version"] for known in dataset.versions()]
    for version in versions:
        shown = dataset.checkout_version(version)
        for fragment in shown.get_fragments():
            named |= {Path(file.path).name for file in fragment.data_files()}
        named |= {str(index["uuid"]) for index in shown.list_indices()}
    storage = storage_of(catalog.home)
    root = f"catalog/{table}.lance"
    left = []
    for stored in storage.walk(root):
        kind, _, name = stored.name.removeprefix(f"{root}/").partition("/")
        if kind == "_transactions":
            first = name.partition("-")[0]
            unnamed = first.isdigit() and int(first) + 1 < min(versions)
        else:
            unnamed = kind in ("data", "_indices") and name.partition("/")[0] not in named
        # A file's age is by the machine's clock, whatever time the work is done for.
        if unnamed and time.time() - stored.modified > _LEFTOVER_SECONDS:
            left.append(stored.name)
    storage.delete(left)
    return len(left)


def drop_refused_rows(catalog: Catalog) -> None:
    """Deletes the files of rows that imports refused, and those of imports that did not come to
    their end, with examples of such rows: they may name a post, and are of no use."""
    storage = storage_of(catalog.home)
    storage.delete_folder("refused")
    storage.delete_folder(UNFINISHED)


def persist(work: Callable[[], Done]) -> Done:
    """Does it again for as long as other writers come between."""
    for attempt in itertools.count(1):
        try:
            return work()
        except (OSError, RuntimeError, CatalogError) as error:
            if not any(word in str(error).lower() for word in ("conflict", "contention")):
                raise
            if PURGE_FILES.exhausted(attempt):
                raise CatalogError(
                    f"Other processes write to the catalog without a pause ({error}): run the "
                    "same command again; it goes on where it was."
                ) from error
            time.sleep(PURGE_FILES.wait(attempt, random.random()))
    raise AssertionError  # the last try returned or raised


def _rewrite(catalog: Catalog, table: str) -> int:
    opened = catalog.opened(table)
    dataset = opened.to_lance()
    deleted = int(dataset.version)
    fragments = dataset.get_fragments()
    whole = [known.fragment_id for known in fragments if not known.num_deletions]
    if len(whole) < len(fragments):
        _write_anew(catalog, table, dataset, whole)
        opened.checkout_latest()
    # An index is a copy of its column. Rows that it leaves out may still be in its files, also
    # where a whole file of the table went and nothing was left to rewrite.
    for column in sorted({index.columns[0] for index in opened.list_indices()}):
        index_again(opened, column)
    opened.checkout_latest()
    dataset = opened.to_lance()
    if any(known.num_deletions for known in dataset.get_fragments()):
        raise RuntimeError("commit conflict: rows were deleted while the files were rewritten")
    if int(dataset.version) == deleted:
        # A version tells how it came about, so one that came by deleting names what it deleted.
        dataset.update_config({"mmrl.rewritten": str(deleted)})
        opened.checkout_latest()
    return int(opened.version)


def _write_anew(catalog: Catalog, table: str, dataset: Any, whole: list[int]) -> None:
    """Writes all fragments but the whole ones anew.

    What was written for nothing, as another process came between, is deleted: it holds rows that
    may be erased before it counts as a leftover.
    """
    from lance.optimize import Compaction

    options: Any = {
        "materialize_deletions": True,
        "materialize_deletions_threshold": 0.0,
        "excluded_fragment_ids": whole,
        **fragments_of(table),
    }
    written = [task.execute(dataset) for task in Compaction.plan(dataset, options).tasks]
    try:
        Compaction.commit(dataset, written, options)
    except (OSError, RuntimeError) as error:
        if "conflict" in str(error).lower():
            files = [file for one in written for new in one.new_fragments for file in new.files]
            names = [f"catalog/{table}.lance/data/{file.path}" for file in files]
            storage_of(catalog.home).delete(names)
        raise
