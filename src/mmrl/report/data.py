"""The data a model was trained and judged on: posts a day, and its test posts by subreddit."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, moment
from mmrl.learning.evaluation.record import Splits
from mmrl.report.unit import Unit

_FEW = 20  # posts; a rank correlation of fewer says next to nothing
_SUBREDDITS_SHOWN = 25


@dataclass(frozen=True)
class SubredditResult:
    """Metrics of the model on one subreddit's test posts; `spearman` is None under 20 of them."""

    name: str
    posts: int
    median: str
    spearman: float | None
    coverage: float


def posts_a_day(catalog: Catalog, splits: Splits) -> list[tuple[date, int]]:
    """Days and their posts in the catalog, from the first part's start to the last one's end."""
    starts = [part.start for part in splits.parts.values()]
    ends = [part.end for part in splits.parts.values()]
    within = f"created_at >= {moment(min(starts))} AND created_at <= {moment(max(ends))}"
    created = catalog.read("posts", ["created_at"], within)["created_at"]
    counts = pc.cast(created, pa.date32()).value_counts().to_pylist()
    return sorted((row["values"], row["counts"]) for row in counts)


def complete(predictions: pa.Table, unit: Unit) -> pa.Table:
    """The test posts with a true and a predicted value, these as float64."""
    for name in (unit.truth, "q10", "q50", "q90"):
        values = predictions[name].cast(pa.float64())
        place = predictions.schema.get_field_index(name)
        known = pc.fill_null(pc.is_finite(values), False)
        predictions = predictions.set_column(place, name, values).filter(known)
    return predictions


def by_subreddit(
    predictions: pa.Table, unit: Unit, most: int | None = _SUBREDDITS_SHOWN
) -> tuple[list[SubredditResult], int]:
    """The subreddits with the most test posts, and how many others there are.

    Args:
        predictions: as `complete` gives them.
        most: subreddits; all for None.
    """
    names = np.asarray(predictions["subreddit"].to_pylist())
    true, middle = predictions[unit.truth].to_numpy(), predictions["q50"].to_numpy()
    low, high = predictions["q10"].to_numpy(), predictions["q90"].to_numpy()
    results = []
    for name in np.unique(names):
        mine = names == name
        inside = (true[mine] >= low[mine]) & (true[mine] <= high[mine])
        results.append(
            SubredditResult(
                name=str(name),
                posts=int(mine.sum()),
                median=unit.says(float(np.median(true[mine]))),
                spearman=_spearman(true[mine], middle[mine]),
                coverage=float(inside.mean()),
            )
        )
    results.sort(key=lambda result: (-result.posts, result.name))
    return results[:most], len(results[most:]) if most else 0


def _spearman(true: np.ndarray, predicted: np.ndarray) -> float | None:
    if len(true) < _FEW or np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return None
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(true), rankdata(predicted))[0, 1])
