"""Extra features of posts: tags, descriptions and columns that people bring, as bounded texts.

They are known when a post goes up. Imports, and drafts of posts, take them through here, so that
equal values are equal texts.
"""

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from mmrl.sources.fields import Unheld, text

FLAIR = "flair"  # among the extra features of a sample, the post's flair
IMAGE_TEXT = "image_text"  # and the text that its image shows
_MOST = 4_000  # characters that are kept of a value
_JOIN = " | "  # between the items of a list


def extra_value(value: Any) -> str | None:
    """A value as text: lists joined, truth values as `true` and `false`, days as ISO 8601.

    None where there is none. Longer values are cut at 4,000 characters.
    """
    if (
        value is None
        or isinstance(value, Unheld)
        or (isinstance(value, float) and math.isnan(value))
    ):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple | set):
        items = (extra_value(item) for item in value)
        value = _JOIN.join(item for item in items if item)
    elif isinstance(value, date):  # a datetime is one
        value = value.isoformat()
    elif not isinstance(value, str):
        value = str(value)
    return text(value[:_MOST])


def number_of(value: str) -> float | None:
    """The finite number that a value is; None where it is none."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def extra_rows(extras: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
    """Extra features, by post and name, as rows of the catalog's `extra_features`."""
    return [
        {"post_id": post_id, "name": name, "value": value}
        for post_id, of_post in extras.items()
        for name, value in of_post.items()
    ]
