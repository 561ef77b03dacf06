"""What an evaluation says, in plain words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmrl.report.metric_names import (
    COVERAGE,
    METRICS,
    PAIRS,
    RMSE_LOG,
    WITHIN,
    Measure,
    Metric,
    best,
    measure,
    span,
    written,
)


@dataclass(frozen=True)
class Tile:
    """A leading figure: its value, its interval, and what they mean."""

    label: str
    value: str
    span: str
    meaning: str
    against: str


@dataclass(frozen=True)
class Difference:
    """The model's metric minus a baseline's, on the same resampled posts; empty where unknown."""

    value: str = "not known"
    span: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Differences:
    """Baselines by metrics: a label and a difference for each of `metrics` a row."""

    metrics: list[Metric]
    rows: list[tuple[str, list[Difference]]]


@dataclass(frozen=True)
class Verdict:
    """What the report says before anything else."""

    headline: str
    sentence: str


def verdict(evaluation: Mapping[str, Any]) -> Verdict:
    """Whether the model beats its baselines, and how sure that is.

    The evaluation's own verdict is on the overall rank; what leads here is the order within a
    subreddit, so where the two disagree the headline says so.
    """
    compared = evaluation["differences"]
    count = f"all {len(compared)} baselines" if len(compared) > 1 else "its baseline"
    ahead, clear = _standing(compared, METRICS[WITHIN])
    if not evaluation["beats_all_baselines"]:
        headline = "The model does not beat every baseline"
    elif len(ahead) < len(compared):
        headline = f"The model beats {count} overall, but not within subreddits"
    elif len(clear) < len(compared):
        headline = f"The model leads {count}, but not each of them clearly"
    else:
        headline = f"The model clearly beats {count}"
    return Verdict(headline, f"{evaluation['verdict']} {_clear_leads(evaluation)}".strip())


def _clear_leads(evaluation: Mapping[str, Any]) -> str:
    """How many baselines it is clearly better than by each leading metric."""
    compared = evaluation["differences"]
    said = []
    for name, words in (
        (WITHIN, "order within a subreddit"),
        (PAIRS, "picking the better of two posts"),
        (RMSE_LOG, "error in log units"),
    ):
        if any(measure(row.get(name)) for row in compared.values()):
            _, clear = _standing(compared, METRICS[name])
            said.append(f"by {words}, {len(clear)} of {len(compared)}")
    return f"Baselines it is clearly better than: {'; '.join(said)}." if said else ""


def _standing(
    compared: Mapping[str, Mapping[str, Any]], metric: Metric
) -> tuple[list[str], list[str]]:
    """The baselines that the model is ahead of, and those it is clearly ahead of."""
    sign = -1 if metric.better == "lower" else 1
    found = {name: measure(row.get(metric.name)) for name, row in compared.items()}
    ahead = [name for name, own in found.items() if own is not None and sign * own.value > 0]
    return ahead, [
        name
        for name in ahead
        if (own := found[name]) is not None and _verdict(metric, own) == "model better"
    ]


def training_facts(evaluation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What training recorded of itself, as far as it can be said in a line each."""
    facts = []
    for name, value in (evaluation["training"] or {}).items():
        if isinstance(value, bool):
            text = "yes" if value else "no"
        elif isinstance(value, float):
            text = f"{value:,.4g}"
        elif isinstance(value, int):
            text = f"{value:,}"
        elif isinstance(value, str):
            text = value
        elif isinstance(value, list) and all(isinstance(item, str | int) for item in value):
            text = ", ".join(str(item) for item in value)
        else:
            continue  # curves and nested settings are in the evaluation's own file
        facts.append((name.replace("_", " "), text))
    return facts


def tiles(models: Mapping[str, Mapping[str, Any]]) -> list[Tile]:
    """The figures that lead the report; see `metrics.LEADING` for why these."""
    return [_tile(METRICS[name], models) for name in (WITHIN, PAIRS, RMSE_LOG, COVERAGE)]


def differences(evaluation: Mapping[str, Any]) -> Differences:
    """The model against each baseline, metric by metric."""
    given = evaluation["differences"]
    metrics = [
        metric for metric in METRICS.values() if any(metric.name in row for row in given.values())
    ]
    return Differences(
        metrics,
        [
            (
                str(evaluation["models"].get(baseline, {}).get("label", baseline)),
                [_difference(metric, measure(row.get(metric.name))) for metric in metrics],
            )
            for baseline, row in given.items()
        ],
    )


def _difference(metric: Metric, found: Measure | None) -> Difference:
    if found is None:
        return Difference()
    return Difference(_signed(metric, found.value), span(metric, found), _verdict(metric, found))


def _tile(metric: Metric, models: Mapping[str, Mapping[str, Any]]) -> Tile:
    own = next((model for model in models.values() if model["kind"] == "model"), None)
    found = measure(own["metrics"].get(metric.name)) if own else None
    if found is None:
        return Tile(metric.label, "not known", "", f"Not known: {metric.unknown}.", "")
    return Tile(
        label=metric.label,
        value=written(metric, found.value),
        span=span(metric, found),
        meaning=_meaning(metric, found.value),
        against=_against(metric, found.value, models),
    )


def _meaning(metric: Metric, value: float) -> str:
    if metric.name == WITHIN:
        return "How well it orders the posts of one subreddit: 1 is perfect, 0 is chance."
    if metric.name == PAIRS:
        return (
            f"Of two posts in one subreddit within an hour, it picks the better one "
            f"{value * 100:.0f} times in 100; chance is 50."
        )
    if metric.name == RMSE_LOG:
        return f"A typical miss is a factor of {math.exp(value):.1f} in the score."
    return f"{value * 100:.0f} of 100 posts ended inside the interval that should hold 80."


def _against(metric: Metric, value: float, models: Mapping[str, Mapping[str, Any]]) -> str:
    measures = {name: measure(model["metrics"].get(metric.name)) for name, model in models.items()}
    baselines = [name for name, model in models.items() if model["kind"] == "baseline"]
    said = []
    if metric.better in ("higher", "lower"):
        strongest = best(metric, measures, baselines)
        if strongest is not None and (found := measures[strongest]) is not None:
            said.append(
                f"Best baseline: {models[strongest]['label']}, {written(metric, found.value)}."
            )
    for name, model in models.items():
        ceiling = measures[name]
        if model["kind"] == "ceiling" and ceiling is not None and metric.better != "nominal":
            said.append(f"Noise ceiling: {written(metric, ceiling.value)}")
            if metric.name == WITHIN and ceiling.value > 0:
                said[-1] += f"; the model reaches {value / ceiling.value:.0%} of it"
            said[-1] += "."
    return " ".join(said)


def _verdict(metric: Metric, difference: Measure) -> str:
    low, high = difference.low, difference.high
    if metric.better not in ("higher", "lower"):
        return ""
    if low is None or high is None:
        return "no interval was taken"
    better = low > 0 if metric.better == "higher" else high < 0
    worse = high < 0 if metric.better == "higher" else low > 0
    return "model better" if better else "model worse" if worse else "no clear difference"


def _signed(metric: Metric, value: float) -> str:
    return ("+" if value > 0 else "") + written(metric, value)
