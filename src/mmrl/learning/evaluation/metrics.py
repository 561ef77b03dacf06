"""The metrics: each one entry, read by training, terminal, report, comparison and ablation.

An entry says how the metric is computed (`statistic`), how it is written, and where it is shown.
Their order here is the order in which they are shown.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mmrl.learning.evaluation import statistics
from mmrl.learning.evaluation.record import Measure, ModelResult
from mmrl.learning.evaluation.statistics import (
    Make,
    of_interval,
    of_log_scores,
    of_order,
    of_popularity,
)

Better = Literal["higher", "lower", "nominal", "none"]


@dataclass(frozen=True)
class Metric:
    """A metric: how it is computed, how it is written, and where it is shown.

    Attributes:
        name: its key in an evaluation.
        title: its name for people, without its unit.
        better: which way is better; "nominal": the closer to `nominal` the better.
        meaning: what it measures, in a phrase.
        statistic: how it is computed.
        unit: what its value is in; empty for a pure number and for popularity.
        decimals: digits after the point.
        unknown: why it may be missing.
        head: its column's head in tables on the terminal, in two short lines so that they fit in 80
            columns; empty: not shown there.
        says: what a value means, as a sentence; with it, the metric has a tile at the report's top.
        leads_by: for a metric that leads the report, what it is that a model leads by.
        over_time: whether the report plots it over model versions; leading metrics always are.
        of_ceiling: whether its share of the noise ceiling is worth saying.
        compared: whether the model is compared with each baseline by it.
        ablated: whether ablation says what is lost of it.
        on_page: whether the page shows it beside every ranking; it must have a tile.
    """

    name: str
    title: str
    better: Better
    meaning: str
    statistic: Make
    unit: str = ""
    decimals: int = 3
    nominal: float = 0.8
    unknown: str = "the test posts did not allow it"
    head: str = ""
    says: Callable[[float], str] | None = None
    leads_by: str = ""
    over_time: bool = False
    of_ceiling: bool = False
    compared: bool = False
    ablated: bool = False
    on_page: bool = False

    @property
    def label(self) -> str:
        """Its name for people, with its unit."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    def written(self, value: float) -> str:
        """A value as people read it: fixed decimals, or thousands marked where it is large."""
        if abs(value) >= 100:
            return f"{value:,.0f}"
        text = f"{value:.{self.decimals}f}"
        if float(text) == 0:
            text = text.removeprefix("-")
        return text.replace("-", "\N{MINUS SIGN}")

    def span(self, measure: Measure) -> str:
        """The interval as `0.31 to 0.42`, or an empty text where none was taken."""
        if measure.interval is None:
            return ""
        return " to ".join(self.written(end) for end in measure.interval)


_NO_POPULARITY = (
    "popularity is score / subscribers * 1000: either the score is not predicted, or the "
    "subscribers were not known when the posts were seen"
)
_NO_INTERVAL = "this predictor gives one number, no interval"
_NO_PAIRS = "too few pairs of test posts went up in one subreddit within an hour of each other"
_NO_SCORE = "this predictor gives an order, no score"
_NO_ORDER = "the posts are too few or too alike for an order"

# The metric that decides who becomes champion.
DECISIVE = "spearman"

METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "spearman_within",
            "Spearman within subreddit",
            "higher",
            "rank agreement among posts of the same subreddit: 1 is a perfect order, 0 is chance",
            of_order(statistics.within_subreddits),
            unknown=_NO_ORDER,
            head="Spearman\nin sub",
            says=lambda value: (
                "How well it orders the posts of one subreddit: 1 is perfect, 0 is chance."
            ),
            leads_by="order within a subreddit",
            on_page=True,
            of_ceiling=True,
            compared=True,
            ablated=True,
        ),
        Metric(
            "pair_accuracy",
            "Pair accuracy",
            "higher",
            "of two posts in one subreddit within an hour, how often the better one is picked; "
            "chance is 0.5",
            of_order(statistics.pair_accuracy),
            unknown=_NO_PAIRS,
            head="Pair\naccuracy",
            says=lambda value: (
                f"Of two posts in one subreddit within an hour, it picks the better one "
                f"{value * 100:.0f} times in 100; chance is 50."
            ),
            leads_by="picking the better of two posts",
            on_page=True,
            compared=True,
        ),
        Metric(
            "rmse_log",
            "RMSE",
            "lower",
            "root mean squared error of log(1 + score)",
            of_log_scores(statistics.root_mean_squared_error),
            unit="log units",
            unknown=_NO_SCORE,
            head="RMSE\nlog",
            says=lambda value: f"A typical miss is a factor of {math.exp(value):.1f} in the score.",
            leads_by="error in log units",
            compared=True,
        ),
        Metric(
            "mae_log",
            "MAE",
            "lower",
            "mean absolute error of log(1 + score)",
            of_log_scores(statistics.mean_absolute_error),
            unit="log units",
            unknown=_NO_SCORE,
            compared=True,
        ),
        Metric(
            "spearman",
            "Spearman overall",
            "higher",
            "rank agreement over all posts; knowing the subreddit alone already earns much of it",
            of_order(statistics.spearman),
            unknown=_NO_ORDER,
            head="Spearman\noverall",
            over_time=True,
            compared=True,
            ablated=True,
        ),
        Metric(
            "r2_log",
            "R²",
            "higher",
            "share of the variance of log(1 + score) that is explained",
            of_log_scores(statistics.explained_variance),
            unit="log units",
            unknown=_NO_SCORE,
            ablated=True,
        ),
        Metric(
            "coverage_80",
            "Coverage of the 80% interval",
            "nominal",
            "share of posts whose score fell inside the predicted 80% interval; 0.8 is right",
            of_interval(lambda true, low, high: ((true >= low) & (true <= high)).astype(float)),
            unknown=_NO_INTERVAL,
            head="Inside\n80%",
            says=lambda value: (
                f"{value * 100:.0f} of 100 posts ended inside the interval that should hold 80."
            ),
            on_page=True,
        ),
        Metric(
            "width_80",
            "Width of the 80% interval",
            "none",
            "mean width of the predicted 80% interval in log units; narrower says more, if "
            "coverage holds",
            of_interval(lambda true, low, high: high - low),
            unknown=_NO_INTERVAL,
        ),
        Metric(
            "mae",
            "MAE",
            "lower",
            "mean absolute error of popularity",
            of_popularity(statistics.mean_absolute_error),
            unknown=_NO_POPULARITY,
        ),
        Metric(
            "mse",
            "MSE",
            "lower",
            "mean squared error of popularity",
            of_popularity(statistics.mean_squared_error),
            unknown=_NO_POPULARITY,
        ),
        Metric(
            "rmse",
            "RMSE",
            "lower",
            "root mean squared error of popularity",
            of_popularity(statistics.root_mean_squared_error),
            unknown=_NO_POPULARITY,
        ),
        Metric(
            "r2",
            "R²",
            "higher",
            "share of popularity's variance that is explained",
            of_popularity(statistics.explained_variance),
            unknown=_NO_POPULARITY,
        ),
        Metric(
            "mape",
            "MAPE",
            "lower",
            "mean of |error| / truth of popularity, over posts where it is not 0",
            of_popularity(statistics.mean_relative_error),
            unknown=_NO_POPULARITY,
        ),
    )
}


def leading() -> list[Metric]:
    """Those that lead the report."""
    return [metric for metric in METRICS.values() if metric.leads_by]


def on_terminal() -> list[Metric]:
    """Those that tables on the terminal show."""
    return [metric for metric in METRICS.values() if metric.head]


def metric_of(name: str) -> Metric:
    """A metric by its name; one that this version doesn't know goes by its own name."""
    unknown = Metric(name, name, "none", name, lambda truth, predicted: None)
    return METRICS.get(name, unknown)


def present(models: Mapping[str, ModelResult]) -> list[Metric]:
    """The metrics that any model has, the known ones first and in their order."""
    names = {name for model in models.values() for name in model.metrics}
    return [METRICS[name] for name in METRICS if name in names] + [
        metric_of(name) for name in sorted(names - METRICS.keys())
    ]


def best(
    metric: Metric, measures: Mapping[str, Measure | None], among: Iterable[str]
) -> str | None:
    """Which of the models `among` has the best value, or None where better means nothing."""
    values = {name: measure.value for name in among if (measure := measures.get(name)) is not None}
    if not values or metric.better == "none":
        return None
    if metric.better == "higher":
        return max(values, key=lambda name: values[name])
    if metric.better == "lower":
        return min(values, key=lambda name: values[name])
    return min(values, key=lambda name: abs(values[name] - metric.nominal))
