"""Predictors judged on the test posts: results, differences, verdict, splits, test predictions.

`test_predictions.parquet` has a row a test post: post_id, subreddit, created_at, seen_author,
score, log_score, popularity, percentile (the truth), q10, q50, q90 (mmrl's, in log score; in
percentiles for that target), and a column a baseline or part, named as in the evaluation's models,
in the same unit. Posts of earlier blocks come first, as the learners that were fitted before each
block predicted them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.learning.evaluation.judge import Judged, difference, judge
from mmrl.learning.evaluation.metrics import METRICS, leading
from mmrl.learning.evaluation.record import Kind, Measures, ModelResult, Part, Splits
from mmrl.learning.evaluation.statistics import Predicted, Truth
from mmrl.learning.splits import Split
from mmrl.learning.targets import TargetName, column, to_log_score, to_popularity

_MEDIAN = "subreddit_median"  # the baseline's name


@dataclass(frozen=True)
class Predictor:
    """Predictions of the n test posts, and whose they are.

    Attributes:
        values: (n,) in the target's units.
        predicted: the same, as metrics take them.
        seconds: to fit and predict; None for a ceiling.
    """

    name: str
    label: str
    kind: Kind
    values: np.ndarray
    predicted: Predicted
    seconds: float | None


@dataclass(frozen=True)
class Judgement:
    """Every predictor's result by name, and what differences are made of."""

    results: dict[str, ModelResult]
    judged: dict[str, Judged]


def truth_of(samples: pa.Table) -> Truth:
    """The true values of labelled samples."""
    _, numbers = np.unique(
        np.array(samples["subreddit"].to_pylist(), dtype=str), return_inverse=True
    )
    created = np.asarray(samples["created_at"].cast(pa.int64()).to_numpy())
    return Truth(column(samples, "log_score"), column(samples, "popularity"), numbers, created)


def predicted_of(
    values: np.ndarray,
    samples: pa.Table,
    target: TargetName,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
) -> Predicted:
    """Target values as metrics take them: log scores and popularity where the target tells."""
    log_score = to_log_score(values, samples, target)
    if log_score is None:
        return Predicted(None, order=values)
    popularity = to_popularity(log_score, column(samples, "subscribers"))
    low, high = (None if end is None else to_log_score(end, samples, target) for end in (low, high))
    # A popularity target says nothing of the score where subscribers are unknown; its order stands.
    return Predicted(log_score, popularity, low, high, order=values)


def judge_all(
    predictors: Sequence[Predictor], truth: Truth, seen: np.ndarray, resamples: int, seed: int
) -> Judgement:
    """Judges predictors on all test posts, on those of seen authors, and on those of unseen ones.

    Args:
        seen: (n, bool) which posts are by an author whom the model had met.
    """
    judgement = Judgement({}, {})
    rows = np.flatnonzero(seen), np.flatnonzero(~seen)
    for predictor in predictors:
        judged = judge(truth, predictor.predicted, resamples, seed)
        of_seen, of_unseen = (
            judge(truth.take(some), predictor.predicted.take(some), resamples, seed).metrics
            for some in rows
        )
        judgement.judged[predictor.name] = judged
        judgement.results[predictor.name] = ModelResult(
            predictor.label,
            predictor.kind,
            judged.metrics,
            of_seen,
            of_unseen,
            predictor.seconds,
        )
    return judgement


def differences(judgement: Judgement) -> dict[str, Measures]:
    """The model minus each baseline, by each metric that compares them."""
    kinds = {name: result.kind for name, result in judgement.results.items()}
    model = next(judgement.judged[name] for name, kind in kinds.items() if kind == "model")
    return {
        name: {
            metric.name: difference(model, judgement.judged[name], metric.name)
            for metric in METRICS.values()
            if metric.compared
        }
        for name, kind in kinds.items()
        if kind == "baseline"
    }


def verdict(compared: Mapping[str, Measures], labels: Mapping[str, str]) -> tuple[bool, str]:
    """Whether the model is better than every baseline by every leading metric, and a sentence.

    The sentence begins with an error that is larger than that of the subreddit's median: whoever
    orders posts well may still be far off with their scores.

    Args:
        compared: what `differences` gives.
    """
    behind: dict[str, list[str]] = {}
    unsure: dict[str, list[str]] = {}
    judged_by = []
    for metric in leading():
        leads = {name: lead for name, row in compared.items() if (lead := row.get(metric.name))}
        if leads:
            judged_by.append(metric.leads_by)
        for name, lead in leads.items():
            if (lead.value if metric.better == "higher" else -lead.value) <= 0:
                behind.setdefault(metric.leads_by, []).append(labels[name])
            elif lead.low <= 0 <= lead.high:
                unsure.setdefault(metric.leads_by, []).append(labels[name])
    error = compared.get(_MEDIAN, {}).get("rmse_log")
    first = (
        "The model's error is larger than that of the subreddit's median: its scores are not to "
        "be relied on. "
        if error is not None and error.value > 0
        else ""
    )
    if behind:
        return False, (
            f"{first}The model does not beat every baseline: it is no better than "
            f"{_by_metric(behind)}."
        )
    if not judged_by:
        return False, "The test posts do not allow a comparison with the baselines."
    better = f"The model is better than every baseline by {_listed(judged_by)}"
    if unsure:
        return True, (
            f"{better}, but its lead over {_by_metric(unsure)} may be chance: the 95% interval "
            "holds 0."
        )
    return True, f"{better}, and no lead is likely to be chance: their 95% intervals exclude 0."


def _by_metric(names: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{_listed(listed)} by {metric}" for metric, listed in names.items())


def splits_of(
    splits: Sequence[Split], samples: pa.Table, seen: np.ndarray, too_old: int, thinned_out: int
) -> Splits:
    """The split for an evaluation: posts and dates of each part, authors seen and unseen.

    Args:
        splits: of earlier blocks of test posts, and of the newest.
        seen: which test posts, of all blocks, are by an author of `seen_authors`.
        too_old, thinned_out: posts that were left out before the split.
    """
    *earlier, split = splits
    tests = np.concatenate([one.test for one in splits])
    authors = np.array(samples["author_id"].to_pylist(), dtype=object)[tests]
    return Splits(
        train=_part(samples, split.train),
        validation=_part(samples, split.validation),
        test=_part(samples, split.test),
        gap_posts=len(split.gap),
        gap_hours=split.gap_hours,
        kind=split.kind,
        leaking=split.leaking,
        posts_of_seen_authors=int(seen.sum()),
        posts_of_unseen_authors=int((~seen).sum()),
        authors_seen=len(set(authors[seen])),
        authors_unseen=len({author for author in authors[~seen] if author is not None}),
        too_old=too_old,
        thinned_out=thinned_out,
        learned_of=_by_subreddit(samples, split.learned),
        between_posts=len(split.between),
        earlier_tests=[_part(samples, one.test) for one in earlier],
    )


def _by_subreddit(samples: pa.Table, rows: np.ndarray) -> dict[str, int]:
    """How many of the rows are of each subreddit, in lower case."""
    counts = pc.value_counts(pc.utf8_lower(samples["subreddit"].take(pa.array(rows))))
    return dict(sorted((one["values"].as_py(), one["counts"].as_py()) for one in counts))


def _part(samples: pa.Table, rows: np.ndarray) -> Part:
    """A part of a split, its times to the second."""
    first, last = (
        samples["created_at"][int(row)].as_py().replace(microsecond=0) for row in rows[[0, -1]]
    )
    return Part(len(rows), first, last)


def test_predictions(
    samples: pa.Table,
    seen: np.ndarray,
    predictors: Sequence[Predictor],
    quantiles: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> pa.Table:
    """The table of `test_predictions.parquet`.

    Args:
        samples: the test posts.
        seen: (n, bool) which of them are by an author whom the model had met.
        quantiles: the model's 10, 50 and 90%, (n,) each, in the target's units.
    """
    facts = ("post_id", "subreddit", "created_at", "score", "log_score", "popularity", "percentile")
    table = samples.select([name for name in facts if name in samples.schema.names])
    table = table.append_column("seen_author", pa.array(seen))
    columns = {}
    for predictor in predictors:
        scores = predictor.predicted
        if predictor.kind == "model":
            known = scores.low, scores.log_score, scores.high
            for name, values, ours in zip(("q10", "q50", "q90"), quantiles, known, strict=True):
                columns[name] = values if ours is None else ours
        elif predictor.kind != "ceiling":
            log_score = scores.log_score
            columns[predictor.name] = predictor.values if log_score is None else log_score
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, pa.float64(), from_pandas=True))
    return table


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
