"""A model judged: every metric with its bootstrap interval, and paired differences of models."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from mmrl.learning.evaluation import bootstrap
from mmrl.learning.evaluation.metrics import METRICS
from mmrl.learning.evaluation.record import Measure, Measures
from mmrl.learning.evaluation.statistics import CELLS, Predicted, Truth


@dataclass
class Judged:
    """Metrics, and the resampled values they were made from, for paired differences."""

    metrics: Measures
    resampled: dict[str, np.ndarray] = field(default_factory=dict)


def judge(
    truth: Truth,
    predicted: Predicted,
    resamples: int,
    seed: int,
    names: Collection[str] | None = None,
) -> Judged:
    """The metrics of one model on n posts.

    Args:
        resamples: for the intervals; 0 leaves them out (`low` and `high` are then the value).
        names: of the metrics; all by default.
    """
    n = len(truth.log_score)
    statistics = {
        name: statistic
        for name, metric in METRICS.items()
        if (names is None or name in names)
        and (statistic := metric.statistic(truth, predicted)) is not None
    }
    values = {name: _value(make, n) for name, make in statistics.items()}
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in values}
    if resamples and n:
        at_once = max(1, min(resamples, CELLS // n))
        for block, start in enumerate(range(0, resamples, at_once)):
            counts = bootstrap.draw(n, min(at_once, resamples - start), seed + 7919 * block)
            for name, value in values.items():
                if value is not None:
                    drawn[name].append(statistics[name](counts))
    resampled = {name: np.concatenate(parts) for name, parts in drawn.items() if parts}
    metrics = {
        name: None if value is None else interval(value, resampled.get(name))
        for name, value in values.items()
    }
    return Judged(metrics, resampled)


def interval(value: float, resampled: np.ndarray | None) -> Measure:
    """A value with its 95% percentile interval."""
    if resampled is None or not np.isfinite(resampled).any():
        return Measure(value, value, value)
    low, high = np.nanpercentile(resampled, [bootstrap.LOW, bootstrap.HIGH])
    return Measure(value, float(low), float(high))


def difference(one: Judged, other: Judged, name: str) -> Measure | None:
    """One model's metric minus another's on the same resamples of the same posts."""
    a, b = one.metrics.get(name), other.metrics.get(name)
    if a is None or b is None:
        return None
    value = a.value - b.value
    if name not in one.resampled or name not in other.resampled:
        return Measure(value, value, value)
    return interval(value, one.resampled[name] - other.resampled[name])


def _value(make: Callable[[np.ndarray], np.ndarray], n: int) -> float | None:
    if n < 2:
        return None
    value = float(make(np.ones((1, n), np.float32))[0])
    return value if np.isfinite(value) else None
