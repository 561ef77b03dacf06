"""Reports that show posts which a purge erases: deleted, then written anew without them."""

import re
from datetime import datetime
from pathlib import Path

from mmrl.catalog import Catalog
from mmrl.errors import MmrlError, NotFoundError
from mmrl.purge.rows import Doomed
from mmrl.runtime.location import Location

NOTE = "report"  # the kind of note: a file's name
_POST = re.compile(r" · ([0-9A-Za-z_-]+)</p>")  # how a report names a post


def note(catalog: Catalog, doomed: Doomed) -> None:
    """Notes the reports that show any of the posts, and what killed processes left of some."""
    for path in _reports(catalog):
        shown = _POST.findall(path.read_text(encoding="utf-8", errors="replace"))
        if _is_half_written(path.name) or not set(shown).isdisjoint(doomed.posts):
            doomed.notes[NOTE][path.name] = ""


def erase(catalog: Catalog, doomed: Doomed) -> None:
    """Deletes the noted reports."""
    for path in _reports(catalog):
        if path.name in doomed.notes[NOTE]:
            path.unlink()


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


def _reports(catalog: Catalog) -> list[Path]:
    folder = Location.of(catalog.home).file("reports")
    return (
        [] if folder is None else sorted(path for path in folder.glob("*") if ".html" in path.name)
    )
