"""Rows of `samples` as they were known at a time."""

from collections.abc import Collection, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, moment, without
from mmrl.catalog.lookup import together
from mmrl.catalog.query import distinct_values
from mmrl.catalog.tables import empty_table, schema_of
from mmrl.config import Settings

# Features that the first observation told; unknown before it.
_OF_FIRST = (
    "subscribers",
    "log_subscribers",
    "log_first_look_hours",
    "log_author_link_karma",
    "log_author_comment_karma",
    "log_author_age_days",
    "author_created_at",
)
_AT_ONCE = 131_072  # rows of outcomes
_OF_LABEL = ("score", "label_subscribers", "label_observed_at")
_OF_HISTORY = (
    *("subreddit", "author_id", "created_at"),
    *("first_look_at", "label_observed_at", "score"),
)
_OF_OUTCOME = ("post_id", *_OF_HISTORY)
IN_TIME = [("created_at", "ascending"), ("post_id", "ascending")]


def read_known(
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    columns: Sequence[str] | None = None,
    posts: Collection[str] | None = None,
) -> pa.Table:
    """The `samples` rows of selected posts, without what was observed after `as_of`.

    Args:
        columns: which to return, besides those that say when something was observed.
        posts: only these.
    """
    if columns is not None:
        columns = list(dict.fromkeys([*columns, "post_id", "first_look_at", "label_observed_at"]))
    where = f"first_seen_at <= {moment(as_of)}"
    if settings.filter.require_image:  # there may be others, from when it was not
        where += " AND image_content IS NOT NULL"
    rows = catalog.lookup("samples", "post_id", posts, columns, where)
    rows = without(rows, "post_id", _left_out(catalog, posts))
    limit = pa.scalar(as_of, rows.schema.field("first_look_at").type)
    for when, names in (
        ("label_observed_at", _OF_LABEL),
        ("first_look_at", (*_OF_FIRST, "first_look_at")),
    ):
        seen = pc.fill_null(pc.less_equal(rows[when], limit), False)
        for name in names:
            if name in rows.schema.names:
                place = rows.schema.get_field_index(name)
                rows = rows.set_column(place, name, pc.if_else(seen, rows[name], None))
    return rows


def read_outcomes(
    catalog: Catalog, settings: Settings, as_of: datetime, authors: pa.ChunkedArray
) -> pa.Table:
    """The `outcomes_of` all rows of `read_known`, read in few columns: a million posts take a
    fraction of a second.

    Args:
        authors: the only ones that are named.
    """
    return outcomes_of(_labelled(catalog, settings, as_of), authors)


def _labelled(catalog: Catalog, settings: Settings, as_of: datetime) -> pa.Table:
    """`_OF_OUTCOME` of all selected posts whose label was known at a time."""
    limit = pa.scalar(as_of, schema_of("samples").field("label_observed_at").type)
    left_out = _left_out(catalog)
    if settings.filter.require_image:
        imageless = catalog.read("samples", ["post_id"], "image_content IS NULL")["post_id"]
        left_out = distinct_values(pa.chunked_array([left_out, *imageless.chunks]))
    known = []
    batches = catalog.batches("samples", [*_OF_OUTCOME, "first_seen_at"])
    for some in together(batches, max(_AT_ONCE, len(left_out))):
        seen = pc.less_equal(some["first_seen_at"], limit)
        observed = pc.less_equal(some["label_observed_at"], limit)
        learned = pc.invert(pc.is_in(some["post_id"], value_set=left_out))
        kept = pc.and_(learned, pc.and_(seen, observed))
        known.append(some.select(_OF_OUTCOME).filter(kept))
    return pa.concat_tables(known) if known else empty_table("samples", _OF_OUTCOME)


def outcomes_of(rows: pa.Table, authors: pa.ChunkedArray | None = None) -> pa.Table:
    """What history is told by, of those rows of `read_known` that have a label.

    Of scores that became known at one instant the later post's is the newer; so the order in which
    rows happen to be stored changes nothing.

    Args:
        authors: the only ones that are named; all for None.

    Returns:
        what `History` takes, in time's order.
    """
    matured = rows.select(_OF_OUTCOME)
    if matured["score"].null_count:
        matured = matured.filter(pc.is_valid(matured["score"]))
    in_time = pc.sort_indices(matured.select(["created_at", "post_id"]), sort_keys=IN_TIME)
    columns = dict(zip(_OF_HISTORY, matured.select(_OF_HISTORY).columns, strict=True))
    del rows, matured  # of millions, each column is freed once it is sorted
    if authors is not None:
        named = pc.is_in(columns["author_id"], value_set=distinct_values(authors))
        columns["author_id"] = pc.if_else(named, columns["author_id"], None)
    for name in ("subreddit", "author_id"):  # numbers are moved faster than texts
        columns[name] = pc.dictionary_encode(columns[name])
    for name in _OF_HISTORY:
        columns[name] = columns[name].combine_chunks().take(in_time)
    return pa.table(columns)


def _left_out(catalog: Catalog, posts: Collection[str] | None = None) -> pa.Array:
    """Posts that the filter leaves out, and those that a purge is about.

    Each post with a sample has a row in `selection`, but while a purge erases both.

    Args:
        posts: which are asked about; all for None.
    """
    filtered = catalog.lookup("selection", "post_id", posts, ["post_id"], "reason IS NOT NULL")
    purged = catalog.read("purging", ["value"], "kind = 'post'")
    chunks = [*filtered["post_id"].chunks, *purged["value"].chunks]
    return distinct_values(pa.chunked_array(chunks, pa.string()))
