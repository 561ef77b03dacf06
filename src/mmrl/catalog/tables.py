"""The tables of the catalog: the Arrow schema of each, its key, and what of a post it holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from mmrl.catalog.columns import (
    AUTHOR_FACTS,
    COLOUR_BINS,
    COLOURS,
    EMBEDDED,
    IMAGE_STATISTICS,
    POST_FEATURES,
    TIME,
    key,
    key_columns,
    time_key,
)
from mmrl.catalog.holds import Holds, OfAnyKey, OfContent, OfNoPost, OfPost

POSTS = pa.schema(
    [
        key("post_id"),  # base 36, without the t3_ prefix
        pa.field("subreddit", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        ("author_id", pa.string()),  # base 36, without t2_; null where the source has none
        ("author_name", pa.string()),
        pa.field("created_at", TIME, nullable=False),
        ("url", pa.string()),
        ("permalink", pa.string()),
        ("over_18", pa.bool_()),
        ("spoiler", pa.bool_()),
        ("is_gallery", pa.bool_()),
        ("is_video", pa.bool_()),
        ("gallery_size", pa.int32()),
        ("crosspost_parent", pa.string()),
        ("flair", pa.string()),
        ("domain", pa.string()),
        ("image_url", pa.string()),  # http(s)://, file:// for imported folders; null: no image
        ("preview_url", pa.string()),  # Reddit's own copy, signed; taken where the image is gone
        pa.field("first_seen_at", TIME, nullable=False),
        pa.field("source", pa.string(), nullable=False),  # reddit, dump:NAME, table:NAME
        # When image and gallery size, and flair, came; null: with the post. See later_facts.
        ("image_known_at", TIME),
        ("flair_known_at", TIME),
    ]
)

OBSERVATIONS = pa.schema(
    [
        key("post_id"),
        time_key("observed_at"),
        ("score", pa.int64()),
        ("settled", pa.bool_()),  # may this score be trusted for its age (see labels)
        ("upvote_ratio", pa.float32()),
        ("num_comments", pa.int64()),
        ("subscribers", pa.int64()),
        ("author_comment_karma", pa.int64()),
        ("author_link_karma", pa.int64()),
        ("author_created_at", TIME),
        ("removed_by", pa.string()),
        ("source", pa.string()),  # who observed it; null: whoever the post came from
    ]
)

# What files tell of a post besides: tags, a description, columns that people bring. It was known
# when the post went up. The post's flair is in `posts`.
EXTRA_FEATURES = pa.schema(
    [
        key("post_id"),
        key("name"),
        pa.field("value", pa.string(), nullable=False),  # a number, a category, words or a text
    ]
)

SELECTION = pa.schema(
    [
        key("post_id"),
        pa.field("rules", pa.string(), nullable=False),  # fingerprint of the filter's settings
        ("reason", pa.string()),  # null: kept
        pa.field("decided_at", TIME, nullable=False),
    ]
)

IMAGES = pa.schema(
    [
        key("sha256"),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("format", pa.string(), nullable=False),  # JPEG, PNG, WEBP, GIF...
        pa.field("byte_size", pa.int64(), nullable=False),
        pa.field("phash", pa.string(), nullable=False),  # 64-bit perceptual hash, 16 hex digits
        pa.field("bytes", pa.large_binary(), nullable=False),
    ]
)

POST_IMAGES = pa.schema(
    [
        key("post_id"),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("fetched_at", TIME, nullable=False),
        pa.field("final_url", pa.string(), nullable=False),
    ]
)

CAPTIONS = pa.schema(
    [
        key("sha256"),
        key("captioner"),  # the captioner's id, see encoders
        pa.field("text", pa.string(), nullable=False),  # "" where the captioner abstains
        # What of the text was found where in the image, as JSON: see encoders.protocols.Phrase.
        ("phrases", pa.string()),
    ]
)

IMAGE_TEXTS = pa.schema(
    [
        key("sha256"),
        key("reader"),  # the reader's id, see encoders.image_text
        pa.field("text", pa.string(), nullable=False),  # "" where the image shows none
    ]
)

IMAGE_MEASURES = pa.schema(
    [
        key("sha256"),
        pa.field("version", pa.string(), nullable=False),  # of mmrl.images.measures.quality
        *[pa.field(name, pa.float32(), nullable=False) for name in IMAGE_STATISTICS],
        (COLOURS, pa.list_(pa.float32(), COLOUR_BINS)),  # null: measured by an earlier mmrl
    ]
)

SAMPLES = pa.schema(
    [
        key("post_id"),
        pa.field("rules", pa.string(), nullable=False),  # fingerprint of how it was made
        pa.field("subreddit", pa.string(), nullable=False),
        ("author_id", pa.string()),
        ("author_created_at", TIME),
        pa.field("created_at", TIME, nullable=False),
        pa.field("first_seen_at", TIME, nullable=False),
        ("first_look_at", TIME),  # of the first observation; null: there is none
        ("subscribers", pa.int64()),  # at the first observation
        *[(name, pa.float32()) for name in POST_FEATURES + AUTHOR_FACTS],
        ("title_content", pa.string()),  # keys of the embedding tables
        ("image_content", pa.string()),  # also the caption's key in `captions`
        ("visual_content", pa.string()),
        ("unlabelled", pa.string()),  # why there is no label, a catalog.reasons.Reason
        ("score", pa.int64()),  # at the label's observation
        ("label_subscribers", pa.int64()),  # at the label's observation
        ("label_observed_at", TIME),
    ]
)

PREDICTIONS = pa.schema(
    [
        key("post_id"),
        key("model_version"),
        pa.field("predicted_at", TIME, nullable=False),
        pa.field("age_hours", pa.float32(), nullable=False),  # the post's age when predicted
        pa.field("q10", pa.float32(), nullable=False),
        pa.field("q50", pa.float32(), nullable=False),
        pa.field("q90", pa.float32(), nullable=False),
        pa.field("unit", pa.string(), nullable=False),  # of the quantiles: log_score or percentile
    ]
)

FAILURES = pa.schema(
    [
        key("stage"),
        key("key"),
        pa.field("reason", pa.string(), nullable=False),  # a catalog.reasons.Reason
        ("detail", pa.string()),
        pa.field("attempts", pa.int32(), nullable=False),
        pa.field("last_at", TIME, nullable=False),
        ("retry_after", TIME),  # null: never again
        ("encoder", pa.string()),  # the model that failed on it; null where any would
    ]
)

# What the collector has to know after a restart, and what `mmrl status` shows of it.
SERVICE = pa.schema(
    [
        key("name"),  # `collect`, or `subreddit/NAME` in lower case
        ("value", pa.string()),  # JSON: see collector.cursors
        pa.field("at", TIME, nullable=False),
    ]
)

# Ranges of post ids that listings did not reach back to: see collector.gaps.
GAPS = pa.schema(
    [
        key("gap"),
        pa.field("subreddits", pa.string(), nullable=False),  # joined by +
        pa.field("from_id", pa.int64(), nullable=False),  # the newest id known before; not in it
        pa.field("to_id", pa.int64(), nullable=False),  # the oldest id seen after; not in it
        pa.field("filled_to", pa.int64(), nullable=False),  # ids from here up have been asked for
        pa.field("found_at", TIME, nullable=False),
        pa.field("state", pa.string(), nullable=False),  # open, filled; unlisted: ids are seconds
        ("kept", pa.int64()),  # posts that were found in it
    ]
)

# Rules of communities, written anew when they change: see collector.rules.
COMMUNITY_RULES = pa.schema(
    [
        key("subreddit"),  # lower case
        time_key("read_at"),  # when they were first read so
        pa.field("text", pa.string(), nullable=False),  # a rule a line
        pa.field("source", pa.string(), nullable=False),
    ]
)

# When each post was last asked for, to see whether it still stands: see purge.recheck.
CHECKS = pa.schema(
    [
        key("post_id"),
        pa.field("checked_at", TIME, nullable=False),
        ("gone", pa.string()),  # who took it away, as in observations.removed_by; null: it stands
        ("gone_since", TIME),  # when that was first seen
    ]
)

# What is left of what was purged: see purge.run.
PURGED = pa.schema(
    [
        key("day"),  # of the purge, such as 2026-11-23
        key("reason"),
        pa.field("posts", pa.int64(), nullable=False),
    ]
)
PURGED_MARKS = pa.schema([key("mark")])  # one-way marks of ids, so that none comes back
PURGED_MODELS = pa.schema(
    [
        key("model_version"),
        key("purge"),
        pa.field("learned", pa.int64(), nullable=False),  # posts it had learned from
        pa.field("judged", pa.int64(), nullable=False),  # posts it had been judged on
    ]
)

# What a purge has begun to erase; the table is dropped when it has ended.
PURGING = pa.schema([key("kind"), key("value"), ("said", pa.string())])
PURGE_LATE = pa.schema([key("kind"), key("value")])  # to be erased once more by the next one

META = pa.schema([key("name"), ("value", pa.string())])


def embeddings(dim: int) -> pa.Schema:
    """An embedding table's schema for vectors of `dim` float32 numbers."""
    return pa.schema(
        [
            key("content"),  # the content's hash: see catalog.keys
            key("encoder"),  # the encoder's id
            pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
        ]
    )


def embeddings_table(space: str, dim: int) -> str:
    """The table that holds a space's vectors of one dimension, such as `embeddings_title_384`."""
    return f"embeddings_{space}_{dim}"


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        schema: its columns.
        holds: what of a post it holds; a purge erases by that.
        indexed: the columns that rows are looked up by; the first one of the key, unless given.
    """

    schema: pa.Schema
    holds: Holds
    indexed: tuple[str, ...] = ()


TABLES: dict[str, Table] = {
    "meta": Table(META, OfNoPost("settings of the home")),
    "posts": Table(
        POSTS,
        OfPost(author="author_name", mentions=("crosspost_parent",)),
        ("post_id", "image_url", "first_seen_at", "image_known_at"),
    ),
    "observations": Table(OBSERVATIONS, OfPost()),
    "extra_features": Table(EXTRA_FEATURES, OfPost()),
    "selection": Table(SELECTION, OfPost()),
    "images": Table(IMAGES, OfContent("image", "sha256"), ("sha256", "phash")),
    "post_images": Table(POST_IMAGES, OfPost(), ("post_id", "sha256")),
    "captions": Table(CAPTIONS, OfContent("image", "sha256")),
    "image_texts": Table(IMAGE_TEXTS, OfContent("image", "sha256")),
    "image_statistics": Table(IMAGE_MEASURES, OfContent("image", "sha256")),
    "samples": Table(SAMPLES, OfPost(), ("post_id", "created_at", "image_content")),
    "predictions": Table(PREDICTIONS, OfPost()),
    "failures": Table(FAILURES, OfAnyKey("key", "detail"), ("key", "retry_after")),
    "service": Table(SERVICE, OfNoPost("the collector's state, by subreddit")),
    "community_rules": Table(COMMUNITY_RULES, OfNoPost("rules that moderators wrote")),
    "gaps": Table(GAPS, OfNoPost("ranges of ids, of posts that nobody saw")),
    "checks": Table(CHECKS, OfPost()),
    "purged": Table(PURGED, OfNoPost("counts")),
    "purged_marks": Table(PURGED_MARKS, OfNoPost("one-way hashes")),
    "purged_models": Table(PURGED_MODELS, OfNoPost("counts")),
    "purging": Table(PURGING, OfNoPost("dropped at the end of each purge")),
    "purge_late": Table(PURGE_LATE, OfNoPost("hashes of contents, dropped by the next purge")),
}

SCHEMAS: dict[str, pa.Schema] = {name: table.schema for name, table in TABLES.items()}


def schema_of(name: str) -> pa.Schema:
    """The schema of a declared table."""
    table = table_of(name)
    if table is None:
        raise ValueError(
            f"table {name!r} is not declared: give it a schema, and what of a post it holds, "
            "in mmrl.catalog.tables"
        )
    return table.schema


def table_of(name: str) -> Table | None:
    """What is declared of a table; None where nothing is. Embedding tables are named by space."""
    space, _, dim = name.removeprefix("embeddings_").rpartition("_")
    if space in EMBEDDED and dim.isdigit() and name == embeddings_table(space, int(dim)):
        return Table(embeddings(int(dim)), OfContent(space, "content"))
    return TABLES.get(name)


def indexed_columns(name: str) -> tuple[str, ...]:
    """The columns of a table that have an index once it is large; none of one not declared."""
    table = table_of(name)
    if table is None:
        return ()
    return table.indexed or (key_columns(table.schema)[0],)


def empty_table(table: str, columns: Sequence[str] | None) -> pa.Table:
    """A table without rows; all columns for None."""
    declared = table_of(table)
    schema = embeddings(1) if declared is None else declared.schema
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns])
    return schema.empty_table()
