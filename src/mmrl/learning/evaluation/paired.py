"""Predictions of several models judged on the same posts, with paired differences.

All are resampled with the same draws, so a difference's interval holds no more than the difference.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.errors import InputError
from mmrl.learning.evaluation.evaluate import truth_of
from mmrl.learning.evaluation.judge import Judged, difference, interval, judge
from mmrl.learning.evaluation.record import Measures
from mmrl.learning.evaluation.statistics import Predicted
from mmrl.learning.targets import column


@dataclass(frozen=True)
class Paired:
    """Models side by side on the same posts.

    Attributes:
        posts: that all of them were judged on.
        metrics: of each.
        differences: of each but the first, its metrics minus the first one's.
    """

    posts: int
    metrics: Mapping[str, Measures]
    differences: Mapping[str, Measures]


def compare_versions(
    tests: Mapping[str, pa.Table], targets: Mapping[str, str], resamples: int, seed: int
) -> Paired:
    """Versions on the test posts that they share.

    Args:
        tests: by version, its test predictions; see `evaluate.test_predictions`.
        targets: by version, what it learned.

    Raises:
        InputError: they share fewer than two test posts.
    """
    shared: set[str] | None = None
    for table in tests.values():
        ids = set(table["post_id"].to_pylist())
        shared = ids if shared is None else shared & ids
    if shared is None or len(shared) < 2:
        raise InputError(
            f"Versions {', '.join(tests)} share {len(shared or ())} test posts: what they reached "
            "can't be compared post by post."
        )
    together = {name: _only(table, shared) for name, table in tests.items()}
    truth = truth_of(next(iter(together.values())))
    judged = {
        name: judge(truth, predicted(table, "q50", targets[name]), resamples, seed)
        for name, table in together.items()
    }
    return Paired(len(shared), {n: one.metrics for n, one in judged.items()}, against_first(judged))


def predicted(table: pa.Table, name: str, target: str) -> Predicted:
    """A column of test predictions as metrics take it; mmrl's own, `q50`, with its interval."""
    values = column(table, name)
    if target == "percentile":
        return Predicted(None, order=values)
    low, high = (column(table, end) if name == "q50" else None for end in ("q10", "q90"))
    return Predicted(values, None, low, high, order=values)


def mean_of(judged: Sequence[Judged]) -> Judged:
    """The mean over runs that differ by their seed, with the interval of the mean over posts."""
    metrics: Measures = {}
    resampled: dict[str, np.ndarray] = {}
    for name in judged[0].metrics:
        measures = [one.metrics.get(name) for one in judged]
        known = [measure.value for measure in measures if measure is not None]
        if len(known) < len(judged):
            metrics[name] = None
            continue
        if all(name in one.resampled for one in judged):
            resampled[name] = np.mean([one.resampled[name] for one in judged], axis=0)
        metrics[name] = interval(float(np.mean(known)), resampled.get(name))
    return Judged(metrics, resampled)


def against_first(
    judged: Mapping[str, Judged], names: Collection[str] | None = None
) -> dict[str, Measures]:
    """Of each but the first, its metrics minus the first one's, on the same resamples."""
    (_, first), *others = judged.items()
    return {
        name: {metric: difference(one, first, metric) for metric in names or one.metrics}
        for name, one in others
    }


def _only(table: pa.Table, ids: Collection[str]) -> pa.Table:
    kept = table.filter(pc.is_in(table["post_id"], value_set=pa.array(sorted(ids), pa.string())))
    return kept.sort_by("post_id")
