"""Importer: writes a file's posts and observations into the catalog, batch by batch.

Posts and observations are inserted; of a post only what it lacked is filled in later. So the same
file may be read again: known rows stay, and those that a kill or a broken file left out are added.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, Failed
from mmrl.catalog.columns import TIME
from mmrl.catalog.tables import SCHEMAS
from mmrl.errors import InputError, StorageError
from mmrl.runtime.counted import counted
from mmrl.runtime.progress import Progress
from mmrl.sources.extras import extra_rows
from mmrl.sources.files.duplicates import Duplicates, leave_open
from mmrl.sources.files.refusals import EXAMPLES, Refusals
from mmrl.sources.files.rows import Rows
from mmrl.sources.files.source import START, Batch, PostSource
from mmrl.sources.files.unfinished import Unfinished
from mmrl.sources.later_facts import fill
from mmrl.storage.opening import storage_of
from mmrl.times import iso

STAGE = "import"  # under this name refused rows are kept in `failures`
_NAMES = 10_000  # a month of Reddit has millions, most of them of single users
_COMPACT_EVERY = 50  # batches; each leaves a small file in two tables, whose keys are looked up
_DETAIL = 300  # characters of a refusal's detail that are kept


@dataclass
class ImportReport:
    """Counts of an import.

    Attributes:
        read: rows read, but for those outside.
        new: posts that were not known.
        known: posts that were known before.
        observations: those that were not known.
        features: values of extra features that were not known.
        unstated: posts whose score does not say when it was observed.
        unsettled: of those, the posts whose score gives no label.
        outside: rows of subreddits or times that were not asked for.
        refused: unusable rows by reason code.
        subreddits: usable posts by subreddit, of the first 10,000 that were met.
        first, last: the oldest and the newest usable post's creation.
        with_image, without_image: usable posts with and without an image's address.
        repeated: of the known posts, rows that repeat one of this import.
        unclear: posts that come several times with other scores, without a time for each: none of
            these scores gives a label.
        dropped: values left out of usable posts, as they can't be used, by name.
        examples: refused rows, at most `EXAMPLES`, of different kinds where there are several.
        refused_file: holds all rows that were refused since the import went on; None where the
            examples show them all.
        refused_before: how many were refused before, where it had been stopped.
        images_found, images_missing: of the images that a table names in a folder; None where no
            folder was given.
    """

    read: int = 0
    new: int = 0
    known: int = 0
    observations: int = 0
    features: int = 0
    unstated: int = 0
    unsettled: int = 0
    outside: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    subreddits: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    with_image: int = 0
    without_image: int = 0
    repeated: int = 0
    unclear: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    refused_file: str | None = None
    refused_before: int = field(default=0, compare=False)
    images_found: int | None = None
    images_missing: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: counts as they are, times as ISO 8601."""
        return {
            name: iso(value) if isinstance(value, datetime) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> "ImportReport":
        """What `as_dict` gave."""
        report = cls(**values)
        for name in ("refused", "subreddits", "dropped"):
            setattr(report, name, Counter(values[name]))
        for name in ("first", "last"):
            time = values[name]
            setattr(report, name, None if time is None else datetime.fromisoformat(time))
        return report

    def summary(self) -> str:
        """The report in a few words, such as `978 new posts, 13 refused (no_creation_time 13)`."""
        parts = [counted(self.new, "new post")]
        if self.known:
            before = self.known - self.repeated
            parts += [f"{before:,} known before"] if before else []
            parts += [f"{self.repeated:,} repeated"] if self.repeated else []
        if self.features:
            parts.append(counted(self.features, "new value of features", "new values of features"))
        if self.outside:
            parts.append(f"{self.outside:,} not asked for")
        if self.refused:
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in self.refused.most_common())
            parts.append(f"{self.refused.total():,} refused ({reasons})")
        return ", ".join(parts)


class NothingUsableError(InputError):
    """No row of a source could be used.

    Attributes:
        report: what the import counted.
    """

    def __init__(self, message: str, report: ImportReport) -> None:
        super().__init__(message)
        self.report = report


def import_posts(
    catalog: Catalog,
    source: PostSource,
    as_of: datetime,
    progress: Progress,
    refused_rows: str | None = None,
    tell: Callable[[str], None] = lambda sentence: None,
) -> ImportReport:
    """Reads all of a source into `posts` and `observations`; refused rows go to `failures`.

    Where an import of the same was killed, it goes on behind the last rows that were written.

    Args:
        progress: is advanced in the source's units, after each batch was written.
        refused_rows: a file of the home to write refused rows to, where they are many.
        tell: is told in a sentence that an import goes on.

    Raises:
        InputError: the source can't be read (any further); says how many posts were kept.
        NothingUsableError: rows were read, and all were refused.
    """
    storage = storage_of(catalog.home)
    unfinished = Unfinished(catalog, source.same(), as_of)
    begin, before = unfinished.kept()
    goes_on = before is not None and bool(before["refused"])
    work = _Import(catalog, as_of, Refusals(storage, refused_rows, goes_on=goes_on), before)
    report = work.report
    progress.start(f"import {source.name}", source.size or None)
    if begin is not START:
        tell(
            f"An import of this ended at {begin.units / source.size:.0%} of it, and goes on there."
        )
        progress.advance(begin.units)
    try:
        with closing(source.batches(as_of, begin)) as batches:
            for batch in batches:
                work.write(batch)
                if batch.mark is not None:
                    unfinished.keep(batch.mark, work.count().as_dict())
                progress.advance(batch.units)
    except InputError as error:
        progress.finish("stopped")
        work.close()
        unfinished.forget()
        raise _stopped(error, report) from error
    except BaseException:
        with suppress(StorageError, OSError):  # what ended the import is said, not this
            work.close()
        raise
    work.close()
    unfinished.forget()
    progress.finish(report.summary())
    if report.refused and not report.new + report.known:
        raise NothingUsableError(f"No row of {source.name} could be used.", report)
    return report


def _stopped(error: InputError, report: ImportReport) -> InputError:
    """The error of a source that can't be read any further, with what is kept of it."""
    kept = report.new + report.known
    if not kept:
        return NothingUsableError(str(error), report)
    return InputError(
        f"{error} The {kept:,} posts read before that are kept ({report.new:,} of them new), and "
        "a second import won't double them."
    )


class _Import:
    """One import under way."""

    def __init__(
        self, catalog: Catalog, as_of: datetime, refusals: Refusals, before: dict[str, Any] | None
    ) -> None:
        self.report = ImportReport() if before is None else ImportReport.of_dict(before)
        self._before = replace(self.report, refused=self.report.refused.copy())
        self._catalog = catalog
        self._as_of = as_of
        self._refusals = refusals
        self._duplicates = Duplicates(catalog)
        self._unclear: set[str] = set()
        self._batches = 0

    def write(self, batch: Batch) -> None:
        """Writes a batch, and counts it."""
        catalog, report = self._catalog, self.report
        report.outside += batch.outside
        if not len(batch.rows):
            return
        rows, unclear = leave_open(catalog, self._duplicates.sift(batch.rows))
        observations = first_of_each(rows.observations, ["post_id", "observed_at"])
        # Observations first: a post that is known then always has the one that came with it.
        report.observations += catalog.insert("observations", observations)
        _settle(catalog, rows)
        open_ones = pc.is_in(observations["post_id"], value_set=pa.array(unclear, pa.string()))
        catalog.upsert("observations", observations.filter(open_ones))
        extras = extra_rows(rows.extras_by_post())
        report.features += catalog.insert("extra_features", table_rows("extra_features", extras))
        new = catalog.insert("posts", first_of_each(rows.posts, ["post_id"]))
        fill(catalog, self._duplicates.later)
        self._refusals.add((row.place, row.refused) for row in rows.refused)
        failed = [
            Failed(row.place, row.refused.reason, row.refused.detail[:_DETAIL])
            for row in rows.refused
        ]
        catalog.fail(STAGE, failed, self._as_of)
        _count(report, len(batch.rows), rows, new)
        self._unclear |= unclear
        self._batches += 1
        if self._batches % _COMPACT_EVERY == 0:
            catalog.compact(("posts", "observations"))

    def close(self) -> None:
        """Takes down what is known at the end."""
        self._refusals.close()
        self.count()

    def count(self) -> ImportReport:
        """The report as it is so far, with what went before a kill."""
        before, report = self._before, self.report
        report.unclear = before.unclear + len(self._unclear)
        report.repeated = before.repeated + self._duplicates.repeated
        report.examples = [*before.examples, *self._refusals.examples()][:EXAMPLES]
        report.refused_file = self._refusals.file
        report.refused_before = before.refused.total()
        return report


def _settle(catalog: Catalog, rows: Rows) -> None:
    """Marks observations as settled that an earlier import of the same file left open.

    Only scores without a time of their own change so: the user has said since that they are final.
    """
    open_or_not = rows.undated()
    if not pc.any(open_or_not["settled"]).as_py():
        return
    undated = {row["post_id"]: row for row in open_or_not.to_pylist()}
    ids = [post_id for post_id, observation in undated.items() if observation["settled"]]
    if not ids:
        return
    left_open = catalog.lookup(
        "observations", "post_id", ids, ["post_id", "observed_at"], "settled = false"
    ).to_pylist()
    now_settled = [
        undated[row["post_id"]]
        for row in left_open
        if undated[row["post_id"]]["observed_at"] == row["observed_at"]
    ]
    catalog.upsert("observations", table_rows("observations", now_settled))


def _count(report: ImportReport, read: int, rows: Rows, new: int) -> None:
    posts = rows.posts
    report.read += read
    report.new += new
    report.known += posts.num_rows - new
    report.refused.update(str(row.refused.reason) for row in rows.refused)
    for name, of_name in Counter(posts["subreddit"].to_pylist()).items():
        if name in report.subreddits or len(report.subreddits) < _NAMES:
            report.subreddits[name] += of_name
    for names in rows.dropped.values():
        report.dropped.update(names)
    report.without_image += posts["image_url"].null_count
    report.with_image += posts.num_rows - posts["image_url"].null_count
    undated = rows.undated()
    report.unstated += undated.num_rows
    report.unsettled += undated.num_rows - (pc.sum(undated["settled"]).as_py() or 0)
    if posts.num_rows:
        times = pc.min_max(posts["created_at"])
        first, last = times["min"].as_py(), times["max"].as_py()
        report.first = first if report.first is None else min(report.first, first)
        report.last = last if report.last is None else max(report.last, last)


def first_of_each(rows: pa.Table, keys: list[str]) -> pa.Table:
    """The first row of each key."""
    columns = (rows[name] for name in keys)
    numbers = (one.cast(pa.int64()) if one.type == TIME else one for one in columns)
    seen = list(zip(*(one.to_pylist() for one in numbers), strict=True))
    if len(set(seen)) == len(seen):
        return rows
    places = {key: place for place, key in reversed(list(enumerate(seen)))}
    return rows.take(pa.array(sorted(places.values()), pa.int64()))


def table_rows(table: str, values: Any) -> pa.Table:
    """Rows of a catalog table, given as dictionaries."""
    return pa.Table.from_pylist(list(values), schema=SCHEMAS[table])
