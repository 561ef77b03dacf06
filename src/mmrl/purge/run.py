"""Purge of posts: erased everywhere in the home and off the disk, in steps that may be repeated.

Rows go first (`rows`), then reports (`reports`) and the test predictions of models (`models`) and
of experiments (`experiments`), then the files and old versions of tables that still hold the bytes
(`files`). Which posts to erase comes from the command line or from what Reddit took away
(`recheck`, `removals`); which contents go with them, from `unshared`. What is left is a count by
day and reason, and one-way marks by which the posts are kept from coming in again.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from mmrl.catalog import Catalog, quote
from mmrl.catalog.generation import begin_generation
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.errors import CatalogError
from mmrl.images.decode import use_limit
from mmrl.purge import experiments, models, reports
from mmrl.purge import rows as rows_of
from mmrl.purge.files import drop_before, drop_leftovers, drop_refused_rows, rewrite
from mmrl.purge.rows import Doomed
from mmrl.purge.unshared import doom
from mmrl.runtime.progress import Progress

_ROUNDS = 5  # times that what others wrote meanwhile is erased as well
_COUNT, _ERASED, _ID = "count", "erased", "purge"  # kinds of notes


@dataclass
class PurgeReport:
    """What a purge did.

    Attributes:
        erased: posts by reason, those of a purge that was killed before included.
        images: how many images were erased that no kept post shows.
        versions_left: old versions of tables that could not be dropped, by table.
        reports: reports written anew without the posts.
        reports_deleted: reports that could not be, with the reason.
        models: versions that had learned from, or been judged on, some of them.
        learned: of those, the ones that had learned from some: their files keep traces.
        experiments: cells that were judged on some of them, by experiment.
        resumed: a purge that was killed before its end was ended first.
    """

    erased: Counter[str] = field(default_factory=Counter)
    images: int = 0
    versions_left: dict[str, int] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)
    reports_deleted: dict[str, str] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    learned: list[str] = field(default_factory=list)
    experiments: dict[str, int] = field(default_factory=dict)
    resumed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {**vars(self), "erased": dict(self.erased)}


def erase(
    catalog: Catalog,
    settings: Settings,
    posts: Mapping[str, str],
    as_of: datetime,
    progress: Progress,
    authors: frozenset[str] = frozenset(),
    sleep: Callable[[float], None] = time.sleep,
) -> PurgeReport:
    """Erases posts, after ending what a killed purge had begun.

    Args:
        posts: reasons by post id.
        authors: names of accounts, of which no post is to be kept again.
        sleep: waits until reads and writes of other processes that began before have ended.

    Raises:
        CatalogError: other processes kept writing; running it again goes on.
    """
    use_limit(settings.images.max_pixels)  # reports are written anew
    report = PurgeReport()
    begun = rows_of.unfinished(catalog)
    if begun is not None:
        report.resumed = True
        _carry_out(catalog, settings, begun, as_of, progress, sleep, report)
    left = {
        post: reason for post, reason in posts.items() if begun is None or post not in begun.posts
    }
    late = catalog.count(rows_of.LATE) > 0
    if left or authors or (late and begun is None):
        doomed = doom(catalog, left)
        doomed.authors = set(authors)
        _note(catalog, doomed, as_of)
        rows_of.begin(catalog, doomed)
        _carry_out(catalog, settings, doomed, as_of, progress, sleep, report)
    return report


def posts_of(catalog: Catalog, author: str) -> list[str]:
    """The kept posts of an account, by its name, in any case, and by the id that goes with it."""
    name = f"lower(author_name) = {quote(author.lower())}"
    named = catalog.read("posts", ["post_id", "author_id"], name).to_pylist()
    ids = {post["author_id"] for post in named} - {None}
    same = catalog.lookup("posts", "author_id", ids, ["post_id"])["post_id"].to_pylist()
    return sorted({post["post_id"] for post in named}.union(same))


def _note(catalog: Catalog, doomed: Doomed, as_of: datetime) -> None:
    """Adds what can be told only while the rows are still there."""
    notes = doomed.notes
    notes[_ID]["id"] = as_of.isoformat()
    day = f"{as_of:%Y-%m-%d}"
    known = {
        row["reason"]: row["posts"]
        for row in catalog.read("purged", where=f"day = {quote(day)}").to_pylist()
    }
    there = set(
        catalog.lookup("posts", "post_id", doomed.posts, ["post_id"])["post_id"].to_pylist()
    )
    counts = Counter(reason for post, reason in doomed.posts.items() if post in there)
    for reason, count in counts.items():
        notes[_COUNT][f"{day}/{reason}"] = str(known.get(reason, 0) + count)
        notes[_ERASED][reason] = str(count)
    models.note(catalog, doomed)
    reports.note(catalog, doomed)
    experiments.note(catalog, doomed)


def _carry_out(
    catalog: Catalog,
    settings: Settings,
    doomed: Doomed,
    as_of: datetime,
    progress: Progress,
    sleep: Callable[[float], None],
    report: PurgeReport,
) -> None:
    """Erases what was written down; every step may have been done before."""
    progress.start("erase", len(rows_of.holding_tables(catalog)) + 2)
    report.images += rows_of.erase_rows(catalog, doomed)
    drop_refused_rows(catalog)
    progress.advance(1)
    reports.erase(catalog, doomed)
    models.erase(catalog, doomed)
    models.drop_unlisted(catalog.home)
    experiments.erase(catalog, doomed)
    written, deleted = reports.write_anew(catalog, doomed, as_of)
    report.reports += written
    report.reports_deleted |= deleted
    progress.advance(1)
    clean = _rewrite_all(catalog, settings, doomed, sleep)
    experiments.erase(catalog, doomed)  # of an experiment that was under way
    for table, version in clean.items():
        left = drop_before(catalog, table, version)
        if left:
            report.versions_left[table] = left
        drop_leftovers(catalog, table)
        progress.advance(1)
    _count(catalog, doomed)
    begin_generation(catalog)
    drop_refused_rows(catalog)  # an import that was under way may have left a mark since
    rows_of.end(catalog, doomed)
    report.erased.update({reason: int(n) for reason, n in doomed.notes[_ERASED].items()})
    report.experiments = dict(Counter(report.experiments) + experiments.counts(doomed))
    report.models = sorted({*report.models, *doomed.notes[models.NOTE]}, key=int)
    report.learned = sorted({*report.learned, *models.learned(doomed)}, key=int)
    progress.finish(f"{report.erased.total():,} posts erased")


def _rewrite_all(
    catalog: Catalog, settings: Settings, doomed: Doomed, sleep: Callable[[float], None]
) -> dict[str, int]:
    """Rewrites all tables; returns the first version of each that shows nothing of the posts."""
    for _ in range(_ROUNDS):
        clean = {name: rewrite(catalog, name) for name in rows_of.holding_tables(catalog)}
        sleep(settings.purge.settle_seconds)
        if not rows_of.remaining(catalog, doomed):
            return clean
        # Written by someone who had begun before the posts were marked.
        rows_of.erase_rows(catalog, doomed)
    raise CatalogError(
        "Other processes keep writing of posts that are being purged: run the same command "
        "again; it goes on where it was."
    )


def _count(catalog: Catalog, doomed: Doomed) -> None:
    """Writes the counts, which were made at the start, so that writing them twice does no harm."""
    days = [
        {"day": key.partition("/")[0], "reason": key.partition("/")[2], "posts": int(total)}
        for key, total in doomed.notes[_COUNT].items()
    ]
    catalog.upsert("purged", pa.Table.from_pylist(days, schema=SCHEMAS["purged"]))
    models.count(catalog, doomed, doomed.notes[_ID].get("id", ""))
