"""The columns of the samples table: one row a post, features and labels right in time.

The table is an Arrow table sorted by (created_at, post_id). Vectors are null where the content is
missing; numbers are null where they were not known when the post was first seen. Labels are null
together until the post has matured.
"""

from collections.abc import Iterable

import pyarrow as pa

from mmrl.catalog.columns import (
    AUTHOR_FACTS,
    COLOUR_BINS,
    COLOURS,
    IMAGE_STATISTICS,
    POST_FEATURES,
    SPACES,
    TIME,
)
from mmrl.samples.extras import EXTRA, EXTRA_TYPE, text_columns

# POST_FEATURES are known from the post itself and its first observation. Booleans are 0 or 1;
# `log_` is log1p (for the aspect, the logarithm of width / height, 0 for a square); hours and
# weekdays (UTC) stand on a circle.

# Known of the author before the post went up. History counts only posts that had matured by then.
AUTHOR_FEATURES = (
    *AUTHOR_FACTS,
    "log_author_posts",
    "author_seen_before",
    "author_mean_log_score",
    "author_mean_lift",  # mean of log score minus its subreddit's mean at that time
    "author_last_log_score",
    "author_last_3_mean",  # of the log scores of the author's newest matured posts
    "author_best_log_score",
    "author_spread",  # standard deviation of the log scores
    "log_author_days_since_last",  # since the newest matured post went up
    "log_author_posts_a_week",  # from the first matured post on, a week at the least
    "log_author_posts_here",  # in this subreddit
    "author_mean_log_score_here",
)

# Known of the subreddit before the post went up, from posts that had matured by then.
SUBREDDIT_FEATURES = (
    "log_subreddit_posts",
    "subreddit_mean_log_score",
    "subreddit_last_20_mean",  # of the log scores of its newest matured posts
    "subreddit_last_50_mean",
    "subreddit_last_200_mean",
    "subreddit_last_200_spread",  # their standard deviation
    "subreddit_90_days_mean",  # of those that went up in the 90 days before
    "subreddit_90_days_spread",
)

# The post's absolute time: levels move over months and years.
TIME_FEATURES = ("days_since_2005",)

# Known of the image before the post went up: see mmrl.samples.reposts. Null without an image.
IMAGE_HISTORY_FEATURES = (
    "image_seen_before",
    "log_image_posts_before",
    "image_mean_log_score",  # of its posts that had matured by then
)

NUMERIC_FEATURES = (
    *(POST_FEATURES + AUTHOR_FEATURES + SUBREDDIT_FEATURES + TIME_FEATURES),
    *IMAGE_HISTORY_FEATURES,
)

LABELS = ("score", "popularity", "log_score", "percentile")


def samples_schema(dims: dict[str, int]) -> pa.Schema:
    """The schema for vectors of the given dimension a space (see `SPACES`), or column of texts."""
    return pa.schema(
        [
            pa.field("post_id", pa.string(), nullable=False),
            pa.field("subreddit", pa.string(), nullable=False),
            ("author_id", pa.string()),
            pa.field("created_at", TIME, nullable=False),
            ("subscribers", pa.int64()),  # at the first observation that knew them
            *[(name, pa.float32()) for name in NUMERIC_FEATURES],
            *[(name, pa.float32()) for name in IMAGE_STATISTICS],  # null without an image
            (COLOURS, pa.list_(pa.float32(), COLOUR_BINS)),
            (EXTRA, EXTRA_TYPE),  # flair, tags and columns that people bring, by name
            *[(space, pa.list_(pa.float32(), dims[space])) for space in SPACES if space in dims],
            *[(name, pa.list_(pa.float32(), dims[name])) for name in sorted(text_columns(dims))],
            ("score", pa.int64()),
            ("popularity", pa.float64()),  # score / subscribers * 1000; null without subscribers
            ("log_score", pa.float64()),  # log1p(max(score, 0))
            ("percentile", pa.float64()),  # 0..1 in its subreddit's 90 days before; null if < 10
            ("first_look_at", TIME),  # null: not observed yet
            ("label_observed_at", TIME),  # null: no label; see mmrl.samples.known_at
        ]
    )


def emptied(samples: pa.Table, names: Iterable[str]) -> pa.Table:
    """Samples of which some columns are unknown."""
    for name in names:
        place = samples.schema.get_field_index(name)
        field = samples.schema.field(place)
        samples = samples.set_column(place, field, pa.nulls(samples.num_rows, field.type))
    return samples
