"""The tables of the catalog: the Arrow schema of each, its key, and what of a post it holds.

Keys carry Lance's unenforced-primary-key mark, without which two processes that insert the same
new key at once would both succeed.
"""

from dataclasses import dataclass

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")


def key(name: str) -> pa.Field:
    """A text column that is (part of) its table's primary key."""
    return pa.field(
        name, pa.string(), nullable=False, metadata={"lance-schema:unenforced-primary-key": "true"}
    )


def time_key(name: str) -> pa.Field:
    """A time column that is part of its table's primary key."""
    return pa.field(
        name, TIME, nullable=False, metadata={"lance-schema:unenforced-primary-key": "true"}
    )


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
        pa.field("first_seen_at", TIME, nullable=False),
        pa.field("source", pa.string(), nullable=False),  # reddit, dump:NAME, table:NAME
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
        # What of the text was found where in the picture, as JSON: see encoders.protocols.Phrase.
        ("phrases", pa.string()),
    ]
)

# Numbers of an image's pixels: see mmrl.images.quality.
IMAGE_STATISTICS = (
    # light, 0 to 100
    *("light_q05", "light_q25", "light_q50", "light_q75", "light_q95"),
    *("light_spread", "light_skew", "dark_share", "bright_share"),
    # colour
    *("red_green_mean", "red_green_spread", "yellow_blue_mean", "yellow_blue_spread"),
    *("chroma_q10", "chroma_q90", "chroma_mean", "chroma_spread"),
    *("grey_share", "vivid_share", "light_chroma_correlation"),
    *("light_parts_red_green", "light_parts_yellow_blue"),
    *("saturation_mean", "saturation_spread", "colourfulness"),
    # hue
    *("hue_cosine", "hue_sine", "hue_concentration", "hue_axis_concentration"),
    *("hue_0", "hue_45", "hue_90", "hue_135", "hue_180", "hue_225", "hue_270", "hue_315"),
    # how many colours, and the main ones
    *("log_fine_colours", "log_coarse_colours", "colour_entropy"),
    *("top_colour_share", "top_four_colours_share"),
    *("main_colours", "main_light_spread", "main_light_least", "main_light_most"),
    *("main_light_gap", "main_light_unevenness", "main_chroma_mean", "main_chroma_spread"),
    *("main_chroma_most", "main_distance_mean", "main_nearest_mean"),
    *("main_hue_concentration", "main_line_share", "main_log_volume"),
    # sharpness and form
    *("gradient_mean", "edge_share", "flat_share", "log_sharpness"),
    *("symmetry_left_right", "symmetry_top_bottom", "centre_light", "top_light"),
    # writing, and plain ground
    *("stroke_share", "text_rows", "empty_share"),
)

IMAGE_MEASURES = pa.schema(
    [
        key("sha256"),
        pa.field("version", pa.string(), nullable=False),  # of mmrl.images.quality
        *[pa.field(name, pa.float32(), nullable=False) for name in IMAGE_STATISTICS],
    ]
)

# What a post's features say of itself at its first observation: see mmrl.samples.schema.
POST_FEATURES = (
    "log_subscribers",
    "over_18",
    "spoiler",
    "is_gallery",
    "log_gallery_size",
    "is_crosspost",
    "has_flair",
    "hour_sin",
    "hour_cos",
    "weekday_sin",
    "weekday_cos",
    "log_title_chars",
    "log_title_words",
    "title_has_question",
    "title_has_exclamation",
    "title_has_digit",
    "title_has_brackets",
    "title_upper_share",
    "log_image_pixels",
    "log_image_aspect",
    "log_image_bytes",
    "log_first_look_hours",
)

# What the first observation says of the author.
AUTHOR_FACTS = (
    "log_author_link_karma",
    "log_author_comment_karma",
    "log_author_age_days",
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
        pa.field("state", pa.string(), nullable=False),  # open, filled
        ("kept", pa.int64()),  # posts that were found in it
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

SPACES = ("title", "caption", "image", "visual")


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
class OfPost:
    """Each row is of one post.

    Attributes:
        column: holds the post's id.
        author: holds the name of the post's account, where a purged account is kept out by it.
        mentions: columns that may hold the id of another post; a purge of that one rewrites them.
    """

    column: str = "post_id"
    author: str | None = None
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True)
class OfContent:
    """Each row is of a content that several posts may share.

    Attributes:
        space: of the content, one of `SPACES`; `image` also stands for image files.
        column: holds the content's hash.
    """

    space: str
    column: str


@dataclass(frozen=True)
class OfAnyKey:
    """Each row is of a post, a content or something else, and may name posts in words.

    Attributes:
        key: holds a post's id, a content's hash or another key.
        words: holds text in which ids of posts may stand.
    """

    key: str
    words: str


@dataclass(frozen=True)
class OfNoPost:
    """No row tells anything of a post that may be purged, for the reason given."""

    reason: str


Holds = OfPost | OfContent | OfAnyKey | OfNoPost


@dataclass(frozen=True)
class Table:
    """A table: its columns, and what of a post it holds; a purge erases by that."""

    schema: pa.Schema
    holds: Holds


TABLES: dict[str, Table] = {
    "meta": Table(META, OfNoPost("settings of the home")),
    "posts": Table(POSTS, OfPost(author="author_name", mentions=("crosspost_parent",))),
    "observations": Table(OBSERVATIONS, OfPost()),
    "selection": Table(SELECTION, OfPost()),
    "images": Table(IMAGES, OfContent("image", "sha256")),
    "post_images": Table(POST_IMAGES, OfPost()),
    "captions": Table(CAPTIONS, OfContent("image", "sha256")),
    "image_statistics": Table(IMAGE_MEASURES, OfContent("image", "sha256")),
    "samples": Table(SAMPLES, OfPost()),
    "predictions": Table(PREDICTIONS, OfPost()),
    "failures": Table(FAILURES, OfAnyKey("key", "detail")),
    "service": Table(SERVICE, OfNoPost("the collector's state, by subreddit")),
    "gaps": Table(GAPS, OfNoPost("ranges of ids, of posts that nobody saw")),
    "checks": Table(CHECKS, OfPost()),
    "purged": Table(PURGED, OfNoPost("counts")),
    "purged_marks": Table(PURGED_MARKS, OfNoPost("one-way hashes")),
    "purged_models": Table(PURGED_MODELS, OfNoPost("counts")),
    "purging": Table(PURGING, OfNoPost("dropped at the end of each purge")),
    "purge_late": Table(PURGE_LATE, OfNoPost("hashes of contents, dropped by the next purge")),
}

SCHEMAS: dict[str, pa.Schema] = {name: table.schema for name, table in TABLES.items()}


def table_of(name: str) -> Table | None:
    """What is declared of a table; None where nothing is. Embedding tables are named by space."""
    space, _, dim = name.removeprefix("embeddings_").rpartition("_")
    if space in SPACES and dim.isdigit() and name == embeddings_table(space, int(dim)):
        return Table(embeddings(int(dim)), OfContent(space, "content"))
    return TABLES.get(name)


def key_columns(schema: pa.Schema) -> list[str]:
    """The names of a schema's primary key columns, in order."""
    return [
        field.name
        for field in schema
        if (field.metadata or {}).get(b"lance-schema:unenforced-primary-key") == b"true"
    ]
