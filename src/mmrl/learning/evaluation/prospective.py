"""Prospective scoring: how published predictions of live posts came out, day by day.

Of each post the earliest prediction counts, and only if it was written before the post had matured:
nothing that was written after the fact. It is held against what the post had become when it
matured. The baseline beside it is the mean of the subreddit's last 90 days as it was known when the
post went up; for models of percentiles, the middle.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, moment
from mmrl.config import Settings
from mmrl.learning.evaluation.judge import judge
from mmrl.learning.evaluation.statistics import Predicted, Truth
from mmrl.learning.targets import column
from mmrl.samples import load

WEEK = timedelta(days=7)
_LEAST = 50  # posts; over fewer a week says nothing
_LEVEL = "subreddit_90_days_mean"
_ORDER = "spearman_within"


@dataclass(frozen=True)
class Scored:
    """Predictions of the posts of some days, and what became of these.

    Attributes:
        day: the last of the days on which the posts went up, UTC.
        posts: how many have matured and are scored.
        versions: whose predictions they are.
        spearman: rank agreement within subreddits; None where too few posts tell.
        coverage: the share of outcomes within the 80% interval.
        error, baseline_error: mean absolute errors, in log1p(score) or in percentiles; the
            baseline's is None where no level was known when the posts went up.
    """

    day: date
    posts: int
    versions: tuple[str, ...]
    spearman: float | None
    coverage: float
    error: float
    baseline_error: float | None


@dataclass(frozen=True)
class Scores:
    """How published predictions came out.

    Attributes:
        unit: of the errors: log_score or percentile.
        days: from the first to the last on which a scored post went up.
        week: the last seven days for which there are outcomes; None without any.
        waiting: predicted posts whose outcome is not known yet.
        late: posts left out, as each was first predicted when it had matured already.
        other_unit: posts left out, as they were predicted in another unit than the newest ones.
    """

    unit: str
    days: tuple[Scored, ...]
    week: Scored | None
    waiting: int
    late: int
    other_unit: int

    @property
    def warning(self) -> str | None:
        """A sentence where a week of predictions was worse than the baseline."""
        week = self.week
        if week is None or week.posts < _LEAST or week.baseline_error is None:
            return None
        if week.error <= week.baseline_error:
            return None
        return (
            f"The published predictions of the week to {week.day} were off by {week.error:.2f} on "
            f"average, the mean of each subreddit's last 90 days only by {week.baseline_error:.2f} "
            f"({week.posts:,} posts): train anew with `mmrl run`, or look into what has changed."
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        days = [{**asdict(day), "day": day.day.isoformat()} for day in self.days]
        week = None if self.week is None else asdict(self.week) | {"day": str(self.week.day)}
        return {**vars(self), "days": days, "week": week, "warning": self.warning}


def prospective(
    catalog: Catalog, settings: Settings, as_of: datetime, since: datetime | None = None
) -> Scores:
    """Scores of the predictions that were published by a time, by the outcomes known by then.

    Args:
        since: only posts that went up from then on.
    """
    first, late = _earliest(catalog, settings, as_of)
    unit = first["unit"][-1].as_py() if first.num_rows else "log_score"
    of_unit = first.filter(pc.equal(first["unit"], unit))
    rows, waiting = _with_outcomes(catalog, settings, as_of, of_unit, since)
    created = rows["created_at"].to_pylist()
    day = np.array([at.astimezone(UTC).date().toordinal() for at in created], np.int64)
    days = [_scored(rows.filter(pa.array(day == one)), one, unit) for one in np.unique(day)]
    week = None
    if len(day):
        week = _scored(rows.filter(pa.array(day > day.max() - WEEK.days)), int(day.max()), unit)
    return Scores(unit, tuple(days), week, waiting, late, first.num_rows - of_unit.num_rows)


def _earliest(catalog: Catalog, settings: Settings, as_of: datetime) -> tuple[pa.Table, int]:
    """Each post's earliest prediction, in the order of writing; and how many came too late."""
    rows = catalog.read("predictions", None, f"predicted_at <= {moment(as_of)}")
    order = [("predicted_at", "ascending"), ("model_version", "ascending")]
    rows = rows.sort_by([*order, ("post_id", "ascending")])
    _, first = np.unique(np.array(rows["post_id"].to_pylist(), str), return_index=True)
    rows = rows.take(pa.array(np.sort(first)))
    in_time = pc.less(rows["age_hours"], float(settings.label.mature_after_hours))
    kept = rows.filter(in_time)
    return kept, rows.num_rows - kept.num_rows


def _with_outcomes(
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    predicted: pa.Table,
    since: datetime | None,
) -> tuple[pa.Table, int]:
    """The predictions whose outcome is known, with it; and how many posts still wait for one."""
    columns = ["post_id", "subreddit", "created_at", "log_score", "percentile", _LEVEL]
    posts = predicted["post_id"].to_pylist()
    samples = load(catalog, settings, as_of, columns=columns, posts=posts)
    if since is not None:
        samples = samples.filter(pc.greater_equal(samples["created_at"], since))
    known = samples.filter(pc.is_valid(samples["log_score"]))
    waiting = samples.num_rows - known.num_rows
    return known.join(predicted, "post_id", join_type="inner").sort_by(
        [("created_at", "ascending"), ("post_id", "ascending")]
    ), waiting


def _scored(rows: pa.Table, day: int, unit: str) -> Scored:
    truth, quantiles = column(rows, unit), [column(rows, name) for name in ("q10", "q50", "q90")]
    low, middle, high = quantiles
    level = column(rows, _LEVEL) if unit == "log_score" else np.full(rows.num_rows, 0.5)
    numbers = pc.utf8_lower(rows["subreddit"]).combine_chunks().dictionary_encode().indices
    known = ~np.isnan(truth)
    both = known & ~np.isnan(level)
    created = rows["created_at"].cast(pa.int64()).to_numpy()
    nothing = np.full(len(truth), np.nan)
    judged = judge(
        Truth(truth, nothing, numbers.to_numpy(), created).take(known),
        Predicted(None, order=middle[known]),
        0,
        0,
        [_ORDER],
    )
    order = judged.metrics.get(_ORDER)
    return Scored(
        date.fromordinal(day),
        int(known.sum()),
        tuple(sorted(set(rows["model_version"].to_pylist()))),
        None if order is None else order.value,
        float(np.mean((truth >= low) & (truth <= high), where=known)),
        float(np.mean(np.abs(truth - middle), where=known)),
        float(np.abs(truth - level)[both].mean()) if both.any() else None,
    )
