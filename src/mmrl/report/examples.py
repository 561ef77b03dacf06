"""Examples: the test posts the model got most wrong and most right, with their images."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.report.thumbnails import UnshowableError, thumbnail
from mmrl.report.unit import Unit

_SHOWN = 6  # posts a list
_TITLE_MOST = 300  # characters; Reddit's own limit
# Control characters say nothing to a reader, and NUL is an error in HTML.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Example:
    """A test post as the report shows it.

    Attributes:
        image: a data URI, or None where there is no image to show.
        note: what must be said of the image (blurred, missing, why), or an empty text.
        true, predicted, low, high, off: in words; the 80% interval is `low` to `high`.
    """

    post_id: str
    subreddit: str
    title: str
    created_at: datetime
    true: str
    predicted: str
    low: str
    high: str
    off: str
    inside: bool
    image: str | None
    note: str


@dataclass(frozen=True)
class Misses:
    """Three lists, the most telling first.

    Attributes:
        under: did far better than predicted.
        over: did far worse than predicted.
        hits: closest predictions among the posts in the top quarter by true score; elsewhere a
            close call is easily had by always saying "little".
    """

    under: list[Example]
    over: list[Example]
    hits: list[Example]


def find_misses(catalog: Catalog, predictions: pa.Table, unit: Unit) -> Misses:
    """Picks the examples and gathers their titles and images.

    Args:
        predictions: test posts with post_id, subreddit, created_at, the unit's true column and
            q10, q50, q90, none of them null.
    """
    true = predictions[unit.truth].to_numpy()
    error = true - predictions["q50"].to_numpy()
    worst_first = np.argsort(-error, kind="stable")
    under = [int(row) for row in worst_first[:_SHOWN] if error[row] > 0]
    over = [int(row) for row in worst_first[::-1][:_SHOWN] if error[row] < 0]
    taken = {*under, *over}
    floor = np.quantile(true, 0.75) if len(true) else 0.0
    closest = np.argsort(np.abs(error), kind="stable")
    hits = [int(row) for row in closest if true[row] >= floor and int(row) not in taken][:_SHOWN]
    examples = _examples(catalog, predictions, [*under, *over, *hits], unit)
    return Misses(
        under=[examples[row] for row in under],
        over=[examples[row] for row in over],
        hits=[examples[row] for row in hits],
    )


def clean_title(title: str) -> str:
    """A title on one line, without control characters, not longer than Reddit would allow."""
    line = " ".join(_CONTROL.sub(" ", title).split())
    return line if len(line) <= _TITLE_MOST else line[: _TITLE_MOST - 1].rstrip() + "…"


def _examples(
    catalog: Catalog, predictions: pa.Table, rows: list[int], unit: Unit
) -> dict[int, Example]:
    chosen = predictions.take(pa.array(rows, pa.int64())).to_pylist()
    ids = [post["post_id"] for post in chosen]
    posts = _by_id(
        catalog.lookup("posts", "post_id", ids, ["post_id", "title", "over_18", "spoiler"])
    )
    hashes = {
        post_id: row["sha256"]
        for post_id, row in _by_id(
            catalog.lookup("post_images", "post_id", ids, ["post_id", "sha256"])
        ).items()
    }
    images = catalog.lookup("images", "sha256", hashes.values(), ["sha256", "bytes"])
    files = dict(zip(images["sha256"].to_pylist(), images["bytes"].to_pylist(), strict=True))
    return {
        row: _example(
            post,
            posts.get(post["post_id"]),
            files.get(hashes.get(post["post_id"], "")),
            post["post_id"] in hashes,
            unit,
        )
        for row, post in zip(rows, chosen, strict=True)
    }


def _example(
    post: dict[str, Any],
    facts: dict[str, Any] | None,
    file: bytes | None,
    has_image: bool,
    unit: Unit,
) -> Example:
    true = post[unit.truth]
    image, note = _image(facts, file, has_image)
    return Example(
        post_id=post["post_id"],
        subreddit=post["subreddit"],
        title=clean_title(facts["title"]) if facts else "",
        created_at=post["created_at"],
        true=unit.says(true),
        predicted=unit.says(post["q50"]),
        low=unit.says(post["q10"]),
        high=unit.says(post["q90"]),
        off=unit.miss(true - post["q50"]),
        inside=post["q10"] <= true <= post["q90"],
        image=image,
        note=note,
    )


def _image(
    facts: dict[str, Any] | None, file: bytes | None, has_image: bool
) -> tuple[str | None, str]:
    if facts is None:
        return None, "the post is no longer in the catalog"
    if not has_image:
        return None, "no image"
    if file is None:
        return None, "the image is no longer in the catalog"
    marks = [
        name for name, column in (("over 18", "over_18"), ("spoiler", "spoiler")) if facts[column]
    ]
    try:
        return (
            thumbnail(file, blurred=bool(marks)),
            f"marked {' and '.join(marks)}: blurred" if marks else "",
        )
    except UnshowableError as error:
        return None, f"the image can't be shown: {error}"


def _by_id(rows: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["post_id"]: row for row in rows.to_pylist()}
