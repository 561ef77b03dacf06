"""What each metric is called, which way is better, and how its value is written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["higher", "lower", "nominal", "none"]


@dataclass(frozen=True)
class Measure:
    """A metric's value with its bootstrap interval, None where none was taken."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Metric:
    """How to speak of a metric.

    Attributes:
        name: its key in an evaluation.
        label: its name for a table's head.
        better: which way is better; "nominal": the closer to `nominal` the better.
        meaning: what it says, in a sentence.
        decimals: digits after the point.
        unknown: why it may be missing.
    """

    name: str
    label: str
    better: Better
    meaning: str
    decimals: int = 3
    nominal: float = 0.8
    unknown: str = "the test posts did not allow it"


_NO_POPULARITY = (
    "popularity is score / subscribers * 1000: either the score is not predicted, or the "
    "subscribers were not known when the posts were seen"
)
_NO_INTERVAL = "this predictor gives one number, no interval"
_NO_PAIRS = "too few pairs of test posts went up in one subreddit within an hour of each other"
_NO_SCORE = "this predictor gives an order, no score"
_NO_ORDER = "the posts are too few or too alike for an order"

WITHIN = "spearman_within"
PAIRS = "pair_accuracy"
RMSE_LOG = "rmse_log"
SPEARMAN = "spearman"
COVERAGE = "coverage_80"

METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            WITHIN,
            "Spearman within subreddit",
            "higher",
            "rank agreement among posts of the same subreddit: 1 is a perfect order, 0 is chance",
            unknown=_NO_ORDER,
        ),
        Metric(
            PAIRS,
            "Pair accuracy",
            "higher",
            "of two posts in one subreddit within an hour, how often the better one is picked; "
            "chance is 0.5",
            unknown=_NO_PAIRS,
        ),
        Metric(
            RMSE_LOG,
            "RMSE, log units",
            "lower",
            "root mean squared error of log(1 + score)",
            unknown=_NO_SCORE,
        ),
        Metric(
            "mae_log",
            "MAE, log units",
            "lower",
            "mean absolute error of log(1 + score)",
            unknown=_NO_SCORE,
        ),
        Metric(
            SPEARMAN,
            "Spearman overall",
            "higher",
            "rank agreement over all posts; knowing the subreddit alone already earns much of it",
            unknown=_NO_ORDER,
        ),
        Metric(
            "r2_log",
            "R², log units",
            "higher",
            "share of the variance of log(1 + score) that is explained",
            unknown=_NO_SCORE,
        ),
        Metric(
            COVERAGE,
            "Coverage of the 80% interval",
            "nominal",
            "share of posts whose score fell inside the predicted 80% interval; 0.8 is right",
            unknown=_NO_INTERVAL,
        ),
        Metric(
            "width_80",
            "Width of the 80% interval",
            "none",
            "mean width of the predicted 80% interval in log units; narrower says more, if "
            "coverage holds",
            unknown=_NO_INTERVAL,
        ),
        Metric("mae", "MAE", "lower", "mean absolute error of popularity", unknown=_NO_POPULARITY),
        Metric("mse", "MSE", "lower", "mean squared error of popularity", unknown=_NO_POPULARITY),
        Metric(
            "rmse", "RMSE", "lower", "root mean squared error of popularity", unknown=_NO_POPULARITY
        ),
        Metric(
            "r2",
            "R²",
            "higher",
            "share of popularity's variance that is explained",
            unknown=_NO_POPULARITY,
        ),
        Metric(
            "mape",
            "MAPE",
            "lower",
            "mean of |error| / truth of popularity, over posts where it is not 0",
            unknown=_NO_POPULARITY,
        ),
    )
}
LEADING = (WITHIN, PAIRS, RMSE_LOG)


def metric_of(name: str) -> Metric:
    """How to speak of a metric; one this module doesn't know goes by its own name."""
    return METRICS.get(name) or Metric(name, name, "none", name)


def measure(given: Any) -> Measure | None:
    """A metric as evaluations keep it (`{value, low, high}`, a bare number or null), or None."""
    if isinstance(given, Mapping):
        value = given.get("value")
        low, high = given.get("low"), given.get("high")
    else:
        value, low, high = given, None, None
    if value is None or value != value:
        return None
    if low == high:  # what an evaluation without resamples holds
        low = high = None
    return Measure(float(value), _number(low), _number(high))


def written(metric: Metric, value: float) -> str:
    """A value as people read it: fixed decimals, or thousands marked where it is large."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.{metric.decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "\N{MINUS SIGN}")


def span(metric: Metric, found: Measure) -> str:
    """The interval as `0.31 to 0.42`, or an empty text where none was taken."""
    if found.low is None or found.high is None:
        return ""
    return f"{written(metric, found.low)} to {written(metric, found.high)}"


def present(models: Mapping[str, Mapping[str, Any]]) -> list[Metric]:
    """The metrics that any model has, the known ones first and in their order."""
    found = {name for model in models.values() for name in model["metrics"]}
    return [METRICS[name] for name in METRICS if name in found] + [
        metric_of(name) for name in sorted(found - METRICS.keys())
    ]


def best(
    metric: Metric, measures: Mapping[str, Measure | None], among: Iterable[str]
) -> str | None:
    """Which of the models `among` has the best value, or None where better means nothing."""
    known = {name: found.value for name in among if (found := measures.get(name)) is not None}
    if not known or metric.better == "none":
        return None
    if metric.better == "higher":
        return max(known, key=lambda name: known[name])
    if metric.better == "lower":
        return min(known, key=lambda name: known[name])
    return min(known, key=lambda name: abs(known[name] - metric.nominal))


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)
