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
from mmrl.catalog.upkeep import fragments_of, index_again
from mmrl.errors import CatalogError
from mmrl.runtime.location import Location
from mmrl.runtime.retry import PURGE_FILES

_LEFTOVER_SECONDS = 600.0  # a file that no version names by then is of a process that was killed
Done = TypeVar("Done")


def rewrite(catalog: Catalog, table: str) -> int:
    """Writes the files of a table that hold deleted rows anew, without them.

    Returns:
        the first version whose files hold nothing deleted.

    Raises:
        CatalogError: other writers never left a moment for it.
    """
    return persist(lambda: _rewrite(catalog.opened(table), table))


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

    Lance itself would keep them for a week. On an object store they are left to it.
    """
    dataset = catalog.opened(table).to_lance()
    root = Location.of(catalog.home).file("catalog", f"{table}.lance")
    if root is None or not root.is_dir():
        return 0
    named: set[str] = set()
    versions = [known["version"] for known in dataset.versions()]
    for version in versions:
        shown = dataset.checkout_version(version)
        for fragment in shown.get_fragments():
            named |= {Path(file.path).name for file in fragment.data_files()}
        named |= {str(index["uuid"]) for index in shown.list_indices()}
    files = [path for path in (root / "data").glob("*") if path.name not in named]
    for index in (root / "_indices").glob("*"):
        files += [] if index.name in named else list(index.glob("*"))
    for transaction in (root / "_transactions").glob("*-*.txn"):
        if int(transaction.name.split("-")[0]) + 1 < min(versions):
            files.append(transaction)
    dropped = 0
    for path in files:
        try:
            # A file's age is by the machine's clock, whatever time the work is done for.
            if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                path.unlink()
                dropped += 1
        except FileNotFoundError:
            continue
    return dropped


def drop_refused_rows(catalog: Catalog) -> None:
    """Deletes the files of rows that imports refused: they may name a post, and are of no use."""
    folder = Location.of(catalog.home).file("refused")
    for path in folder.glob("*.csv") if folder is not None else ():
        path.unlink(missing_ok=True)


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


def _rewrite(opened: Any, table: str) -> int:
    dataset = opened.to_lance()
    deleted = int(dataset.version)
    fragments = dataset.get_fragments()
    whole = [known.fragment_id for known in fragments if not known.num_deletions]
    if len(whole) < len(fragments):
        dataset.optimize.compact_files(
            materialize_deletions=True,
            materialize_deletions_threshold=0.0,
            excluded_fragment_ids=whole,
            **fragments_of(table),
        )
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
