"""Reports that show posts which a purge erases: deleted, then written anew without them."""

import re
from datetime import datetime

from mmrl.catalog import Catalog
from mmrl.errors import MmrlError, NotFoundError
from mmrl.purge.rows import Doomed
from mmrl.storage.opening import Storage, storage_of

NOTE = "report"  # the kind of note: a file's name
_POST = re.compile(r" · ([0-9A-Za-z_-]+)</p>")  # how a report names a post


def note(catalog: Catalog, doomed: Doomed) -> None:
    """Notes the reports that show any of the posts, and what killed processes left of some."""
    storage = storage_of(catalog.home)
    for name in _reports(storage):
        text = (storage.read(name) or b"").decode(errors="replace")
        base = name.rpartition("/")[2]
        if _is_half_written(base) or not set(_POST.findall(text)).isdisjoint(doomed.posts):
            doomed.notes[NOTE][base] = ""


def erase(catalog: Catalog, doomed: Doomed) -> None:
    """Deletes the noted reports."""
    storage = storage_of(catalog.home)
    noted = doomed.notes[NOTE]
    storage.delete(name for name in _reports(storage) if name.rpartition("/")[2] in noted)


def write_anew(
    catalog: Catalog, doomed: Doomed, as_of: datetime
) -> tuple[list[str], dict[str, str]]:
    """Writes the noted reports without the posts.

    Returns:
        the reports written, and those that could not be, with the reason.
    """
    from mmrl.report.write import write_report

    written, failed = [], {}
    for name in doomed.notes[NOTE]:
        if _is_half_written(name):
            continue
        version = name.removesuffix(".html")
        try:
            if not version.isdigit():
                raise NotFoundError("it is of no version: its name is no number")
            write_report(catalog, version, as_of)
            written.append(name)
        except (MmrlError, OSError) as error:
            failed[name] = str(error)
    return written, failed


def _is_half_written(name: str) -> bool:
    return name.startswith(".")


def _reports(storage: Storage) -> list[str]:
    return sorted(stored.name for stored in storage.walk("reports") if ".html" in stored.name)
