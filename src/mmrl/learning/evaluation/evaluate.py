"""How a trained model did: `evaluation.json` and `test_predictions.parquet`.

A metric is `{"value": 0.41, "low": 0.35, "high": 0.47}` (95% bootstrap interval over test posts) or
null where the test posts don't allow it; `mmrl.learning.evaluation.metrics` says what each one is.
Times are ISO 8601 in UTC.

    {
      "format": 1,
      "mmrl_version": "0.1.0",
      "as_of": "2026-11-22T18:00:00Z",
      "profile": "packaged",
      "target": "log_score",                 # or "popularity", "percentile"
      "encoders": {"title": "...", ...},     # by space
      "table_versions": {"posts": 12, ...},  # of the catalog that was learned from
      "splits": {
        "train": {"posts": 1400, "from": "...", "to": "..."}, "validation": ..., "test": ...,
        "kind": "time" | "random", "leaking": false,   # true: random, and to be said wherever shown
        "gap_hours": 36.0, "gap_posts": 80,            # labelled posts that lie in the gaps
        "authors_seen": 120, "authors_unseen": 30,     # authors of test posts
        "posts_of_seen_authors": 350, "posts_of_unseen_authors": 50
      },
      "models": {                            # in the order to show them
        "mmrl": {
          "label": "mmrl",
          "kind": "model" | "part" | "baseline" | "ceiling",
          "metrics": {"spearman": ..., "spearman_within": ..., "pair_accuracy": ..., "mae_log": ...,
                      "rmse_log": ..., "r2_log": ..., "mae": ..., "mse": ..., "rmse": ...,
                      "r2": ..., "mape": ..., "coverage_80": ..., "width_80": ...},
          "seen_authors": {...}, "unseen_authors": {...},   # the same metrics, on those posts
          "seconds": 12.3                    # to fit and predict; null for a ceiling
        },
        "network": ...                       # kind "part": the Keras network alone, before blending
        "subreddit_median", "metadata_boosting", "embedding_ridge", "original_mlp", "boosting": ...
        "noise_ceiling": ...                 # kind "ceiling": the sandbox's law, where it is known
      },
      "differences": {"boosting": {"spearman": ..., "spearman_within": ..., "rmse_log": ...}, ...},
                                             # mmrl minus each baseline, on the same resamples
      "beats_all_baselines": true,
      "verdict": "...",                      # a sentence on that
      "ablation": [{"name": "picture", "label": "...", "modalities": ["image", ...],
                    "spearman": ..., "spearman_within": ..., "r2_log": ...}, ...],
                                             # what is lost without it: positive means it helps
      "calibration": [{"nominal": 0.1, "observed": 0.12}, ...],   # truths below a quantile
      "training": {"loss": [...], "validation_loss": [...], "epochs": 31, "network_weight": 0.6,
                   "widening": 0.1, "seconds": 40.1, "seed": 0},
      "noise_ceiling": null or {"spearman": ..., ...}   # the metrics of models.noise_ceiling
    }

`test_predictions.parquet` has a row a test post: post_id, subreddit, created_at, seen_author,
score, log_score, popularity, percentile (the truth), q10, q50, q90 (mmrl's, in log score; in
percentiles for that target), and a column a baseline or part, named as in "models", in the same
unit.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from mmrl.learning.evaluation.metrics import Judged, Metric, Predicted, Truth, difference, judge
from mmrl.learning.targets import TargetName, column, to_log_score, to_popularity

FORMAT = 1
_COMPARED = ("spearman", "spearman_within", "pair_accuracy", "rmse_log", "mae_log")


def truth_of(samples: pa.Table) -> Truth:
    """What became of labelled samples."""
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
    """Target values as metrics want them: log scores and popularity where the target tells."""
    log_score = to_log_score(values, samples, target)
    if log_score is None:
        return Predicted(None, order=values)
    popularity = to_popularity(log_score, column(samples, "subscribers"))
    low, high = (None if end is None else to_log_score(end, samples, target) for end in (low, high))
    # A popularity target says nothing of the score where subscribers are unknown; its order stands.
    return Predicted(log_score, popularity, low, high, order=values)


def judge_model(
    truth: Truth, predicted: Predicted, seen: np.ndarray, resamples: int, seed: int
) -> tuple[Judged, dict[str, Metric], dict[str, Metric]]:
    """A model on all test posts, on those of seen authors, and on those of unseen ones."""
    parts = [
        judge(truth.take(rows), predicted.take(rows), resamples, seed).metrics
        for rows in (np.flatnonzero(seen), np.flatnonzero(~seen))
    ]
    return judge(truth, predicted, resamples, seed), parts[0], parts[1]


def differences(model: Judged, baselines: Mapping[str, Judged]) -> dict[str, dict[str, Metric]]:
    """The model minus each baseline, metric by metric."""
    return {
        name: {metric: difference(model, baseline, metric) for metric in _COMPARED}
        for name, baseline in baselines.items()
    }


def verdict(
    compared: Mapping[str, Mapping[str, Metric]], labels: Mapping[str, str]
) -> tuple[bool, str]:
    """Whether the model ranks better than every baseline, and a sentence on how sure that is."""
    behind, unsure = [], []
    for name, metrics in compared.items():
        found = metrics["spearman"]
        if found is None or found["value"] <= 0:
            behind.append(labels[name])
        elif found["low"] <= 0:
            unsure.append(labels[name])
    if behind:
        return False, (
            f"The model does not beat every baseline: it ranks the test posts no better than "
            f"{_listed(behind)} (Spearman)."
        )
    if unsure:
        return True, (
            f"The model ranks the test posts better than every baseline (Spearman), but its lead "
            f"over {_listed(unsure)} may be chance: its 95% interval holds 0."
        )
    return True, (
        "The model ranks the test posts better than every baseline (Spearman), and no lead is "
        "likely to be chance: their 95% intervals lie above 0."
    )


def test_predictions(
    samples: pa.Table, seen: np.ndarray, columns: Mapping[str, np.ndarray]
) -> pa.Table:
    """The table of `test_predictions.parquet`.

    Args:
        samples: the test posts.
        columns: q10, q50, q90 and one a model, (n,) each.
    """
    table = samples.select(
        [
            name
            for name in (
                *("post_id", "subreddit", "created_at"),
                *("score", "log_score", "popularity", "percentile"),
            )
            if name in samples.schema.names
        ]
    )
    table = table.append_column("seen_author", pa.array(seen))
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, pa.float64(), from_pandas=True))
    return table


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
