"""Sentences on an evaluation: its verdict, leading figures, differences and training facts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from mmrl.learning.evaluation.metrics import METRICS, Metric, best, leading
from mmrl.learning.evaluation.record import (
    Evaluation,
    Measure,
    Measures,
    ModelResult,
    RemovalResult,
    Training,
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


def verdict(evaluation: Evaluation) -> Verdict:
    """Whether the model beats its baselines, and how sure that is.

    The headline is by the first of the leading metrics, the order within a subreddit. An earlier
    mmrl's verdict was on the overall rank; where the two disagree the headline says so.
    """
    compared = evaluation.differences
    count = f"all {len(compared)} baselines" if len(compared) > 1 else "its baseline"
    ahead, clear = _standing(compared, leading()[0])
    if not evaluation.beats_all_baselines:
        headline = "The model does not beat every baseline"
    elif len(ahead) < len(compared):
        headline = f"The model beats {count} overall, but not within subreddits"
    elif len(clear) < len(compared):
        headline = f"The model leads {count}, but not each of them clearly"
    else:
        headline = f"The model clearly beats {count}"
    return Verdict(headline, f"{evaluation.verdict} {_clear_leads(compared)}".strip())


def _clear_leads(compared: Mapping[str, Measures]) -> str:
    """How many baselines the model is clearly better than by each leading metric."""
    leads = []
    for metric in leading():
        if any(row.get(metric.name) for row in compared.values()):
            _, clear = _standing(compared, metric)
            leads.append(f"by {metric.leads_by}, {len(clear)} of {len(compared)}")
    return f"Baselines it is clearly better than: {'; '.join(leads)}." if leads else ""


def _standing(compared: Mapping[str, Measures], metric: Metric) -> tuple[list[str], list[str]]:
    """The baselines that the model is ahead of, and those it is clearly ahead of."""
    sign = -1 if metric.better == "lower" else 1
    leads = {
        name: lead
        for name, row in compared.items()
        if (lead := row.get(metric.name)) is not None and sign * lead.value > 0
    }
    clear = [name for name, lead in leads.items() if _verdict(metric, lead) == "model better"]
    return list(leads), clear


def training_facts(training: Training) -> list[tuple[str, str]]:
    """What training recorded of itself, a line each; its curves are in the evaluation alone."""
    return [
        (name.replace("_", " "), f"{value:,.4g}" if isinstance(value, float) else f"{value:,}")
        for name, value in asdict(training).items()
        if isinstance(value, int | float) and not (name == "network_weight" and training.weights)
    ] + [(f"weight of {name}", f"{weight:.2f}") for name, weight in training.weights.items()]


def tiles(models: Mapping[str, ModelResult]) -> list[Tile]:
    """The figures that lead the report: every metric that says what its value means."""
    return [_tile(metric, models) for metric in METRICS.values() if metric.says]


def differences(evaluation: Evaluation) -> Differences:
    """The model against each baseline, metric by metric."""
    compared = evaluation.differences
    metrics = [
        metric
        for metric in METRICS.values()
        if any(metric.name in row for row in compared.values())
    ]
    return Differences(
        metrics,
        [
            (
                evaluation.models[baseline].label,
                [_difference(metric, row.get(metric.name)) for metric in metrics],
            )
            for baseline, row in compared.items()
        ],
    )


def _difference(metric: Metric, lead: Measure | None) -> Difference:
    if lead is None:
        return Difference()
    return Difference(_signed(metric, lead.value), metric.span(lead), _verdict(metric, lead))


def _tile(metric: Metric, models: Mapping[str, ModelResult]) -> Tile:
    own = next((model for model in models.values() if model.kind == "model"), None)
    measure = own.metrics.get(metric.name) if own else None
    if measure is None or metric.says is None:
        return Tile(metric.label, "not known", "", f"Not known: {metric.unknown}.", "")
    return Tile(
        label=metric.label,
        value=metric.written(measure.value),
        span=metric.span(measure),
        meaning=metric.says(measure.value),
        against=_against(metric, measure.value, models),
    )


def _against(metric: Metric, value: float, models: Mapping[str, ModelResult]) -> str:
    """The best baseline's value, and the noise ceiling's."""
    measures = {name: model.metrics.get(metric.name) for name, model in models.items()}
    baselines = [name for name, model in models.items() if model.kind == "baseline"]
    sentences = []
    if metric.better in ("higher", "lower"):
        strongest = best(metric, measures, baselines)
        if strongest is not None and (measure := measures[strongest]) is not None:
            sentences.append(
                f"Best baseline: {models[strongest].label}, {metric.written(measure.value)}."
            )
    for name, model in models.items():
        ceiling = measures[name]
        if model.kind == "ceiling" and ceiling is not None and metric.better != "nominal":
            sentence = f"Noise ceiling: {metric.written(ceiling.value)}"
            if metric.of_ceiling and ceiling.value > 0:
                sentence += f"; the model reaches {value / ceiling.value:.0%} of it"
            sentences.append(f"{sentence}.")
    return " ".join(sentences)


def _verdict(metric: Metric, lead: Measure) -> str:
    if metric.better not in ("higher", "lower"):
        return ""
    if lead.interval is None:
        return "no interval was taken"
    low, high = lead.interval
    better = low > 0 if metric.better == "higher" else high < 0
    worse = high < 0 if metric.better == "higher" else low > 0
    return "model better" if better else "model worse" if worse else "no clear difference"


def _signed(metric: Metric, value: float) -> str:
    return ("+" if value > 0 else "") + metric.written(value)


def removals_in_short(result: RemovalResult) -> str:
    """How chances of removal did on later posts, in two sentences."""

    def written(measure: Measure, digits: int) -> str:
        low, high = measure.low, measure.high
        return f"{measure.value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"

    verdict = (
        "It is better than the subreddits' rates, and is shown."
        if result.shown
        else "That is not surely better than the subreddits' rates, so chances are not shown."
    )
    return (
        f"Learned from {result.posts:,} posts, {result.removed:,} of them removed. On "
        f"{result.test_posts:,} later posts ({result.test_removed:,} removed) the Brier score is "
        f"{written(result.brier, 4)}, that of the subreddits' rates "
        f"{written(result.brier_of_rate, 4)}, the difference {written(result.difference, 4)}; the "
        f"AUC is {written(result.auc, 2)} against {written(result.auc_of_rate, 2)}. {verdict}"
    )
