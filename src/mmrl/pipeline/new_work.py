"""Finds a stage's pending work by what was written since its last finished run.

A stage that has come to its end leaves a mark: how far it had read each of its tables. The next
run asks those tables for the rows that were written since, and looks at these posts alone. Marks
only spare work: where there is none, or a doubt about it, all posts are looked at, and the same
is found. Doubts are: other rules, rows of posts erased by a purge or taken out by a repair, rows
of the stage that are gone or that a killed run has left, failures of contents whose posts can't
be told.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, meta, moment, without
from mmrl.catalog.columns import key_columns
from mmrl.catalog.generation import generation
from mmrl.catalog.tables import schema_of
from mmrl.pipeline.stage import Stage
from mmrl.times import parse_time

_POST, _IMAGE = "post_id", "sha256"
_KEYS = pa.schema([("key", pa.string())])


@dataclass(frozen=True)
class Mark:
    """What a stage leaves when it has come to its end.

    Attributes:
        rules: its own, see `Stage`.
        generation: of the catalog's rows when it began.
        rows: of the table that it writes.
        as_of: the present that it worked for.
        read: how far it had read each of its tables, see `Catalog.read_since`.
    """

    rules: str
    generation: str
    rows: int
    as_of: datetime
    read: dict[str, str]


class NewWork:
    """The pending work of one run of a stage.

    Attributes:
        pending: see `Stage.pending`.
        missed: of a check, the items that were found only by looking at all posts.
    """

    def __init__(
        self, stage: Stage, catalog: Catalog, as_of: datetime, check: bool = False
    ) -> None:
        self._stage, self._catalog, self._as_of = stage, catalog, as_of
        self._generation = generation(catalog)
        self._kept = _kept(catalog, stage.name)
        self._trusted = self._kept is not None and not self._is_doubtful(self._kept)
        self._read: dict[str, str] = {}
        self.missed = 0
        posts = self._touched() if self._trusted else self._all()
        self._looked_at_all = posts is None or check
        self.pending = self._among(posts)
        if check and posts is not None:
            of_touched = self.pending
            self.pending = stage.pending(catalog, as_of)
            self.missed = without(self.pending, "key", of_touched["key"].to_pylist()).num_rows

    def begin(self) -> None:
        """To be called before the first row is written: a mark in doubt must not outlive it."""
        if self._kept is not None and not self._trusted:
            meta.forget(self._catalog, _name(self._stage.name))

    def end(self) -> None:
        """To be called when all pending work is done or has failed: leaves the mark.

        After a look at everything a failure that is still due is of what nobody wants any more; it
        goes, or it would be a doubt for ever.
        """
        if self._looked_at_all:
            self._catalog.clear_failures(self._stage.name, self._due().to_pylist())
        rows = self._catalog.count(self._stage.writes)
        mark = Mark(self._stage.rules, self._generation, rows, self._as_of, self._read)
        before = self._kept if self._trusted else None
        if before is not None and (before.rows, before.read) == (mark.rows, mark.read):
            return  # nothing was written; its earlier present is as good
        value = {**vars(mark), "as_of": self._as_of.isoformat()}
        meta.set_value(self._catalog, _name(self._stage.name), json.dumps(value))

    def _is_doubtful(self, mark: Mark) -> bool:
        return (
            mark.rules != self._stage.rules
            or mark.generation != self._generation
            or mark.rows != self._catalog.count(self._stage.writes)
            or mark.read.keys() != set(self._stage.reads)
            or self._catalog.count("purging") > 0
            or (self._key_of_failures not in (_POST, _IMAGE) and len(self._due()) > 0)
        )

    def _among(self, posts: pa.Array | None) -> pa.Table:
        if posts is not None and not len(posts):
            return _KEYS.empty_table()
        return self._stage.pending(self._catalog, self._as_of, posts)

    def _all(self) -> pa.Array | None:
        """All posts; what is written from here on is for the next run."""
        self._read = {table: self._catalog.last_written(table) for table in self._stage.reads}
        return None

    def _touched(self) -> pa.Array:
        """The posts of which something was written, came to pass or is due since the mark."""
        columns: dict[str, list[pa.ChunkedArray]] = {_POST: [], _IMAGE: []}
        for column, values in self._news():
            columns[column].append(values)
        images = _distinct(columns[_IMAGE])
        shown = self._catalog.lookup("post_images", _IMAGE, images, [_POST])[_POST]
        return _distinct([*columns[_POST], shown])

    def _news(self) -> Iterator[tuple[str, pa.ChunkedArray]]:
        """Values of `post_id` and `sha256`, each with the column's name."""
        assert self._kept is not None
        for table, cursor in self._kept.read.items():
            column = _POST if _POST in schema_of(table).names else _IMAGE
            rows, self._read[table] = self._catalog.read_since(table, [column], cursor)
            yield column, rows[column]
        if self._key_of_failures in (_POST, _IMAGE):
            yield self._key_of_failures, self._due()
        if "posts" in self._read:
            yield from ((_POST, rows) for rows in self._came_to_pass(self._kept.as_of))

    def _came_to_pass(self, before: datetime) -> Iterator[pa.ChunkedArray]:
        """Posts that were of the future when the mark was left, and no longer are."""
        for column in ("first_seen_at", "image_known_at") if before < self._as_of else ():
            between = f"{column} > {moment(before)} AND {column} <= {moment(self._as_of)}"
            yield self._catalog.read("posts", [_POST], between)[_POST]

    def _due(self) -> pa.ChunkedArray:
        return self._catalog.due_failures(self._stage.name, self._as_of)

    @property
    def _key_of_failures(self) -> str:
        """What the stage's failures are kept under: the first key column of what it writes."""
        return key_columns(schema_of(self._stage.writes))[0]


def _kept(catalog: Catalog, stage: str) -> Mark | None:
    kept = meta.value_of(catalog, _name(stage))
    if kept is None:
        return None
    value: dict[str, Any] = json.loads(kept)
    if value.keys() != {field.name for field in fields(Mark)}:  # of another mmrl
        return None
    return Mark(**{**value, "as_of": parse_time(value["as_of"])})


def _name(stage: str) -> str:
    return f"mark of {stage}"


def _distinct(columns: list[pa.ChunkedArray]) -> pa.Array:
    chunks = [chunk for column in columns for chunk in column.chunks]
    return pc.drop_null(pc.unique(pa.chunked_array(chunks, pa.string())))
