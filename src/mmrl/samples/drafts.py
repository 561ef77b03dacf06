"""Features of posts that are not posted yet, by the same code as those of posts that are."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog
from mmrl.catalog.columns import SPACES, TIME
from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.samples.extras import EXTRA, EXTRA_TYPE, extras_column, extras_of, text_columns
from mmrl.samples.features import INPUTS, microseconds, nullable, post_features
from mmrl.samples.history import History, Matured, Standings
from mmrl.samples.known import outcomes_of, read_known
from mmrl.samples.load import mature_after
from mmrl.samples.reposts import Reposts, image_keys
from mmrl.samples.schema import samples_schema
from mmrl.sources.extras import FLAIR

# Inputs that only an observation of a live post has.
_OBSERVED = (
    *("observed_age_hours", "subscribers"),
    *("author_link_karma", "author_comment_karma", "author_created_at"),
)

# What may be said of a draft; all but the first two may be null, or left out.
DRAFTS = pa.schema(
    [
        ("subreddit", pa.string()),
        ("title", pa.string()),
        ("post_id", pa.string()),  # a name for the row; draft-0, draft-1... by default
        ("author_id", pa.string()),
        ("created_at", TIME),  # when it is to go up; `as_of` by default
        *[field for field in INPUTS if field.name not in ("title", "created_at", *_OBSERVED)],
        ("image_key", pa.string()),  # of mmrl.samples.reposts
        (EXTRA, EXTRA_TYPE),  # tags and columns that people bring, by name; flair is a fact above
    ]
)

_KARMA = ("log_author_link_karma", "log_author_comment_karma")


class Known:
    """What a catalog knew at a time of authors and subreddits; read once, asked often."""

    def __init__(self, catalog: Catalog, settings: Settings, as_of: datetime) -> None:
        self.as_of = as_of
        rows = read_known(
            catalog,
            settings,
            as_of,
            [
                *("subreddit", "author_id", "author_created_at", "created_at", "subscribers"),
                *("score", "label_subscribers", "image_content", *_KARMA),
            ],
        )
        self._history = History(Matured.of(outcomes_of(rows), mature_after(settings)))
        keys = image_keys(catalog, rows["image_content"])
        self._reposts = Reposts(rows, keys, mature_after(settings))
        self._window = timedelta(days=settings.label.percentile_days)
        name = pc.utf8_lower(rows["subreddit"])
        looked_at = rows["first_look_at"]
        subscribers = pc.coalesce(rows["subscribers"], rows["label_subscribers"])
        counted_at = pc.if_else(
            pc.is_valid(rows["subscribers"]), looked_at, rows["label_observed_at"]
        )
        self._subscribers = _newest(name, counted_at, subscribers)
        self._of_author = {
            column: _newest(rows["author_id"], looked_at, rows[column])
            for column in ("author_created_at", *_KARMA)
        }

    def features(
        self,
        drafts: pa.Table,
        vectors: Mapping[str, pa.FixedSizeListArray] | None = None,
        statistics: Mapping[str, pa.Array] | None = None,
        *,
        extras: bool = True,
    ) -> pa.Table:
        """Samples of drafts, see `features_for`.

        Args:
            extras: whether the column of extra features is wanted; else it is null.
        """
        drafts = _complete(drafts, self.as_of)
        authors = drafts["author_id"]
        subscribers = _find(self._subscribers, pc.utf8_lower(drafts["subreddit"]))
        rows = drafts.num_rows
        inputs = {
            **{name: drafts[name] for name in INPUTS.names if name in DRAFTS.names},
            "observed_age_hours": pa.array(np.zeros(rows)),
            "subscribers": subscribers,
            "author_link_karma": pa.nulls(rows, pa.int64()),
            "author_comment_karma": pa.nulls(rows, pa.int64()),
            "author_created_at": _find(self._of_author["author_created_at"], authors),
        }
        columns = {
            **{name: drafts[name] for name in ("post_id", "subreddit", "author_id", "created_at")},
            "subscribers": subscribers,
            EXTRA: _extras(drafts) if extras else pa.nulls(rows, EXTRA_TYPE),
            **post_features(_table(inputs, INPUTS, rows)),
            **{name: _find(self._of_author[name], authors) for name in _KARMA},
        }
        created = microseconds(drafts["created_at"])
        history = {
            **self._history.features(drafts["subreddit"], authors, created),
            **self._reposts.features(drafts["image_key"], created),
        }
        columns |= {name: nullable(values) for name, values in history.items()}
        columns |= {**(vectors or {}), **(statistics or {})}
        spaces = [*(space for space in SPACES if space in columns), *text_columns(columns)]
        schema = samples_schema({space: columns[space].type.list_size for space in spaces})
        return _table(columns, schema, rows)

    def posted(self, image_keys: Collection[str]) -> list[str]:
        """Those of images' keys that a post was known of."""
        asked = pa.array(sorted(set(image_keys)), pa.string())
        return asked.filter(self._reposts.known(asked)).to_pylist()

    @property
    def standings(self) -> Standings:
        """Where scores would stand in their subreddits, as the percentile label says it."""
        return self._history.standings(self._window)


def features_for(
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    drafts: pa.Table,
    vectors: Mapping[str, pa.FixedSizeListArray] | None = None,
    statistics: Mapping[str, pa.Array] | None = None,
) -> pa.Table:
    """Samples of n posts that are not posted yet, with no labels, from what is known at `as_of`.

    A draft is taken to be looked at the moment it goes up. Its subreddit's subscribers and its
    author's karma are the newest known ones.

    Args:
        drafts: columns of `DRAFTS`; those left out are null.
        vectors: the drafts' embeddings by space (see `vector_column`); spaces left out have no
            column.
        statistics: those of the drafts' images (see `measures_columns`); null where left out.

    Returns:
        (n rows) in the schema of `samples_schema`, in the drafts' order.

    Raises:
        InputError: a draft has no title or subreddit, or a column is unknown.
    """
    return Known(catalog, settings, as_of).features(drafts, vectors, statistics)


def _complete(drafts: pa.Table, as_of: datetime) -> pa.Table:
    """Drafts in the columns of `DRAFTS`."""
    unknown = sorted(set(drafts.column_names) - set(DRAFTS.names))
    if unknown:
        raise InputError(
            f"A draft has no {', '.join(unknown)}; it may have {', '.join(DRAFTS.names)}."
        )
    rows = drafts.num_rows
    columns = {name: drafts[name] for name in drafts.column_names}
    columns.setdefault("created_at", pa.nulls(rows, TIME))
    columns["created_at"] = pc.fill_null(columns["created_at"].cast(TIME), pa.scalar(as_of, TIME))
    columns.setdefault("post_id", pa.array([f"draft-{row}" for row in range(rows)], pa.string()))
    complete = _table(columns, DRAFTS, rows)
    for name in ("subreddit", "title"):
        if complete[name].null_count:
            raise InputError(f"A draft needs a {name}: give one for each of the {rows}.")
    return complete


def _table(
    columns: Mapping[str, pa.Array | pa.ChunkedArray], schema: pa.Schema, rows: int
) -> pa.Table:
    """Columns in a schema; null where there is none.

    A draft has one row and some two hundred columns, so each is cast only where it has to be.
    """
    made = []
    for field in schema:
        column = columns.get(field.name)
        if column is None:
            made.append(pa.nulls(rows, field.type))
        else:
            made.append(column if column.type == field.type else column.cast(field.type))
    return pa.Table.from_arrays(made, schema=schema)


def _extras(drafts: pa.Table) -> pa.Array:
    """Extra features of complete drafts, with the flair among them as a stored post has it."""
    both = zip(extras_of(drafts), drafts["flair"].to_pylist(), strict=True)
    return extras_column(
        [extras if flair is None else {**extras, FLAIR: flair} for extras, flair in both]
    )


def _newest(groups: pa.ChunkedArray, times: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.Table:
    """Each group's value of the latest time that has one."""
    rows = pa.table({"group": groups, "time": times, "value": values}).drop_null()
    rows = rows.sort_by([("group", "ascending"), ("time", "ascending")])
    return rows.group_by("group", use_threads=False).aggregate([("value", "last")])


def _find(newest: pa.Table, groups: pa.ChunkedArray) -> pa.ChunkedArray:
    value_set = newest["group"].combine_chunks()
    return newest["value_last"].take(pc.index_in(groups, value_set=value_set, skip_nulls=True))
