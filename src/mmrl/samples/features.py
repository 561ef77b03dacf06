"""A post's own features: of its title, its image, its hour and its first observation alone.

The one code path for posts that are up (the merge stage) and posts that are not (predictions).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog.columns import AUTHOR_FACTS, POST_FEATURES, TIME

# Raised when features or labels are made differently: all samples are made again.
FEATURES_VERSION = 2

# A first observation tells what was so when the post went up only if it came soon after. Karma
# counts the post's own votes: of a 12-hour score 3% is there after 1 hour, 18% after 3, 61% after 6
# (3,442 r/memes posts, observed every hour), so a later one would tell the label itself.
KARMA_WITHIN_HOURS = 3.0
# A subreddit's size moves by a few percent a month at most; years later it is another size.
SUBSCRIBERS_WITHIN_HOURS = 7 * 24.0
# A later observation belongs to an import; its age tells of the import and not of the post.
OBSERVED_WITHIN_HOURS = 24.0

INPUTS = pa.schema(
    [
        ("title", pa.string()),
        ("created_at", TIME),
        ("over_18", pa.bool_()),
        ("spoiler", pa.bool_()),
        ("is_gallery", pa.bool_()),
        ("gallery_size", pa.int32()),
        ("crosspost_parent", pa.string()),
        ("flair", pa.string()),
        ("width", pa.int32()),  # of the image, in pixels
        ("height", pa.int32()),
        ("byte_size", pa.int64()),
        ("observed_age_hours", pa.float64()),  # of the post at its first observation; null: none
        ("subscribers", pa.int64()),  # what the first observation saw
        ("author_link_karma", pa.int64()),
        ("author_comment_karma", pa.int64()),
        ("author_created_at", TIME),
    ]
)

_HOUR = 3_600_000_000  # in microseconds, the unit of all times in the catalog
_DAY = 24 * _HOUR
_START_OF_2005 = 1_104_537_600_000_000  # 2005-01-01 UTC; Reddit opened that June


def post_features(inputs: pa.Table) -> dict[str, pa.Array]:
    """POST_FEATURES and AUTHOR_FACTS of posts, float32, null where not known at the time.

    Args:
        inputs: one row a post, in the columns of `INPUTS`.
    """
    title = inputs["title"]
    created = microseconds(inputs["created_at"])
    age = _numbers(inputs["observed_age_hours"])
    seen_soon = age <= KARMA_WITHIN_HOURS  # false without an observation, as the age is NaN there
    width, height = _numbers(inputs["width"]), _numbers(inputs["height"])
    gallery = _numbers(inputs["is_gallery"])
    gallery_size = np.where(gallery == 0, 0.0, _numbers(inputs["gallery_size"]))
    letters = _matches(title, r"\p{L}")
    account_age = (created - _numbers_of_time(inputs["author_created_at"])) / _DAY
    hour_angle = 2 * np.pi * (created % _DAY) / _DAY
    # 1970-01-01 was a Thursday; a week on the circle starts on Monday at 0:00.
    weekday_angle = 2 * np.pi * ((created + 3 * _DAY) % (7 * _DAY)) / (7 * _DAY)

    values = {
        "log_subscribers": _log1p(
            np.where(age <= SUBSCRIBERS_WITHIN_HOURS, _numbers(inputs["subscribers"]), np.nan)
        ),
        "over_18": _numbers(inputs["over_18"]),
        "spoiler": _numbers(inputs["spoiler"]),
        "is_gallery": gallery,
        "log_gallery_size": _log1p(gallery_size),
        "is_crosspost": _numbers(pc.is_valid(inputs["crosspost_parent"])),
        "has_flair": _numbers(pc.is_valid(inputs["flair"])),
        "hour_sin": np.sin(hour_angle),
        "hour_cos": np.cos(hour_angle),
        "weekday_sin": np.sin(weekday_angle),
        "weekday_cos": np.cos(weekday_angle),
        "log_title_chars": _log1p(_numbers(pc.utf8_length(title))),
        "log_title_words": _log1p(_matches(title, r"\S+")),
        "title_has_question": _numbers(pc.match_substring(title, "?")),
        "title_has_exclamation": _numbers(pc.match_substring(title, "!")),
        "title_has_digit": _numbers(pc.match_substring_regex(title, r"\p{Nd}")),
        "title_has_brackets": _numbers(pc.match_substring_regex(title, r"[\[(]")),
        "title_upper_share": _share(_matches(title, r"\p{Lu}"), letters),
        "log_image_pixels": _log1p(width * height),
        "log_image_aspect": np.log(_share(width, height)),
        "log_image_bytes": _log1p(_numbers(inputs["byte_size"])),
        "log_first_look_hours": _log1p(np.where(age <= OBSERVED_WITHIN_HOURS, age, np.nan)),
        "log_author_link_karma": _log1p(
            np.where(seen_soon, _numbers(inputs["author_link_karma"]), np.nan)
        ),
        "log_author_comment_karma": _log1p(
            np.where(seen_soon, _numbers(inputs["author_comment_karma"]), np.nan)
        ),
        "log_author_age_days": _log1p(account_age),  # an account's birthday never changes
    }
    return {name: nullable(values[name]) for name in POST_FEATURES + AUTHOR_FACTS}


def time_features(created: np.ndarray) -> dict[str, np.ndarray]:
    """TIME_FEATURES of posts: the day that they were created on, counted from Reddit's first year.

    Args:
        created: (n,) int64 microseconds since 1970.
    """
    return {"days_since_2005": (created - _START_OF_2005) / _DAY}


def microseconds(times: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Times without nulls as int64 microseconds since 1970."""
    return np.asarray(pc.cast(times, pa.int64()).to_numpy(), dtype=np.int64)


def nullable(values: np.ndarray) -> pa.Array:
    """Numbers as float32, null where they are NaN."""
    return pa.array(values.astype(np.float32), pa.float32(), from_pandas=True)


def _numbers(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _numbers_of_time(times: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return _numbers(pc.cast(times, pa.int64()))


def _matches(text: pa.ChunkedArray | pa.Array, pattern: str) -> np.ndarray:
    return _numbers(pc.count_substring_regex(text, pattern))


def _log1p(values: np.ndarray) -> np.ndarray:
    return np.log1p(np.maximum(values, 0.0))  # karma may be negative; NaN stays NaN


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
