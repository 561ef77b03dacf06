"""Targets: the value of a post that is learned, and the way back to scores and popularity.

log_score    log1p(max(score, 0))
popularity   log1p(score / subscribers * 1000), learned on a log scale for its heavy tail
percentile   the post's rank in its subreddit, 0 to 1
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa

TargetName = Literal["log_score", "popularity", "percentile"]


def labelled(samples: pa.Table, target: TargetName) -> np.ndarray:
    """Which samples (n, bool) have the label that the target needs."""
    known = ~np.isnan(column(samples, "log_score"))
    return known & ~np.isnan(target_values(samples, target))


def target_values(samples: pa.Table, target: TargetName) -> np.ndarray:
    """The target of n samples (float64), NaN where it is not known."""
    values = column(samples, target)
    return np.log1p(np.maximum(values, 0.0)) if target == "popularity" else values


def to_log_score(values: np.ndarray, samples: pa.Table, target: TargetName) -> np.ndarray | None:
    """Target values as log1p(score); None for percentiles, which don't tell a score.

    For popularity the subscribers must be known; NaN where they are not.
    """
    if target == "log_score":
        return values
    if target == "percentile":
        return None
    subscribers = column(samples, "subscribers")
    return np.asarray(np.log1p(np.maximum(np.expm1(values), 0.0) * subscribers / 1000.0))


def to_popularity(log_score: np.ndarray, subscribers: np.ndarray) -> np.ndarray:
    """score / subscribers * 1000 of log scores, NaN where subscribers are unknown or none."""
    known = np.where(subscribers > 0, subscribers, np.nan)
    return np.asarray(np.maximum(np.expm1(log_score), 0.0) / known * 1000.0)


def columns(samples: pa.Table, names: Sequence[str]) -> np.ndarray:
    """Numeric columns side by side, (n, len(names)) float64, as `column` has each."""
    there = set(samples.schema.names)
    if not there.issuperset(names) or len({samples.schema.field(name).type for name in names}) > 1:
        return np.stack([column(samples, name) for name in names], axis=1)
    batch = samples.select(names).combine_chunks().to_batches()
    if not batch:
        return np.zeros((0, len(names)))
    return np.asarray(batch[0].to_tensor(null_to_nan=True, row_major=False).to_numpy(), np.float64)


def column(samples: pa.Table, name: str) -> np.ndarray:
    """A numeric column as float64, NaN where null; all NaN where the table has no such column."""
    if name not in samples.schema.names:
        return np.full(samples.num_rows, np.nan)
    return np.asarray(samples[name].cast(pa.float64()).to_numpy(), dtype=np.float64)
