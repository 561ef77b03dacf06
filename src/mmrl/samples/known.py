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
_OF_LABEL = ("score", "label_subscribers", "label_observed_at")
OF_HISTORY = (
    *("subreddit", "author_id", "created_at"),
    *("first_look_at", "label_observed_at", "score"),
)
_OF_OUTCOME = ("post_id", "first_seen_at", *OF_HISTORY)


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


def read_outcomes(catalog: Catalog, settings: Settings, as_of: datetime) -> pa.Table:
    """Of all selected posts whose label was known at `as_of`, what history is told by.

    The rows of `read_known` that have a label, in few columns: a million posts take a fraction of a
    second.

    Returns:
        post_id, first_seen_at and `OF_HISTORY`.
    """
    limit = pa.scalar(as_of, schema_of("samples").field("label_observed_at").type)
    left_out = _left_out(catalog)
    if settings.filter.require_image:
        imageless = catalog.read("samples", ["post_id"], "image_content IS NULL")["post_id"]
        left_out = distinct_values(pa.chunked_array([left_out, *imageless.chunks]))
    known = []
    for some in together(catalog.batches("samples", _OF_OUTCOME), len(left_out)):
        seen = pc.less_equal(some["first_seen_at"], limit)
        observed = pc.less_equal(some["label_observed_at"], limit)
        learned = pc.invert(pc.is_in(some["post_id"], value_set=left_out))
        known.append(some.filter(pc.and_(learned, pc.and_(seen, observed))))
    return pa.concat_tables(known) if known else empty_table("samples", _OF_OUTCOME)


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
