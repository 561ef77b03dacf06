"""Earlier posts of a draft's image, with their outcomes, as known at a time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from mmrl.catalog import moment
from mmrl.catalog.columns import TIME
from mmrl.samples.features import microseconds
from mmrl.samples.history import log_scores
from mmrl.samples.reposts import images_alike
from mmrl.serving.ranks.opened import Opened

_COLUMNS = ["post_id", "subreddit", "created_at", "image_content", "score", "label_observed_at"]


@dataclass(frozen=True)
class Before:
    """An earlier post of an image.

    Attributes:
        score, percentile: what became of it; None where that is not known.
    """

    post_id: str
    subreddit: str
    created_at: datetime
    score: int | None
    percentile: float | None

    @property
    def sentence(self) -> str:
        """For people."""
        posted = f"{self.created_at:%Y-%m-%d} in r/{self.subreddit}"
        if self.score is None:
            return f"{posted} (what became of it is not known yet)"
        stood = (
            ""
            if self.percentile is None
            else f", better than {int(100 * self.percentile)}% of posts"
        )
        return f"{posted} (score {self.score:,}{stood})"


def posted_before(opened: Opened, keys: Collection[str]) -> dict[str, list[Before]]:
    """Earlier posts of images, or of files that look alike, the newest first; by image key.

    Only posts count that the filter keeps, whose first observation was known in time.

    Args:
        keys: of the images, as `image_key` gives them.
    """
    known = opened.known.posted(keys)
    if not known:
        return {}
    alike = images_alike(opened.catalog, known)
    key_of = dict(zip(alike["sha256"].to_pylist(), alike["key"].to_pylist(), strict=True))
    if not key_of:
        return {}
    where = f"first_seen_at <= {moment(opened.as_of)}"
    posts = opened.catalog.lookup("samples", "image_content", key_of, _COLUMNS, where)
    kept = opened.catalog.lookup(
        "selection", "post_id", posts["post_id"], ["post_id"], "reason IS NULL"
    )
    standing = set(kept["post_id"].to_pylist())
    rows = [row for row in posts.to_pylist() if row["post_id"] in standing]
    rows.sort(key=lambda row: (row["created_at"], row["post_id"]), reverse=True)
    stands = _percentiles(opened, rows)
    before: dict[str, list[Before]] = {}
    for row, share in zip(rows, stands, strict=True):
        score = row["score"] if _is_known(row, opened.as_of) else None
        before.setdefault(key_of[row["image_content"]], []).append(
            Before(
                row["post_id"],
                row["subreddit"],
                row["created_at"],
                score,
                None if score is None or np.isnan(share) else float(share),
            )
        )
    return before


def _is_known(row: dict[str, Any], as_of: datetime) -> bool:
    return row["label_observed_at"] is not None and row["label_observed_at"] <= as_of


def _percentiles(opened: Opened, rows: Sequence[dict[str, Any]]) -> np.ndarray:
    if not rows:
        return np.zeros(0)
    return opened.known.standings.percentiles(
        pa.chunked_array([[row["subreddit"] for row in rows]]),
        microseconds(pa.array([row["created_at"] for row in rows], TIME)),
        log_scores(pa.chunked_array([pa.array([row["score"] for row in rows], pa.int64())])),
    )


def note_of(before: Sequence[Before]) -> tuple[str, ...]:
    """What is said of an image beside the numbers of drafts with it."""
    if not before:
        return ()
    more = "" if len(before) == 1 else f", and {len(before) - 1} more times"
    return (f"This image was posted before: {before[0].sentence}{more}.",)
