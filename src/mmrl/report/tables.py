"""The report's tables, as rows of texts ready to be shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmrl.report.metric_names import (
    LEADING,
    METRICS,
    SPEARMAN,
    WITHIN,
    Measure,
    Metric,
    best,
    measure,
    present,
    span,
    written,
)

_SPACES = {"title": "Title", "caption": "Caption", "image": "Image", "visual": "Image with title"}
# What the packaged profile has in place of a captioner and a visual encoder.
_PACKAGED = {"caption": "Tags", "visual": "Label bridge (image with title)"}


@dataclass(frozen=True)
class Cell:
    """A metric of one predictor; `why` says why it isn't known where `value` is None."""

    value: str | None
    span: str
    why: str
    best: bool


@dataclass(frozen=True)
class Row:
    """A predictor with a cell for each metric."""

    label: str
    kind: str
    cells: list[Cell]
    seconds: str


@dataclass(frozen=True)
class MetricsTable:
    """Predictors by metrics; the columns are `metrics`.

    Attributes:
        unknown: why cells are empty, a sentence each; metrics that nobody has are only here.
    """

    metrics: list[Metric]
    rows: list[Row]
    unknown: list[str]


def metrics_rows(models: Mapping[str, Mapping[str, Any]]) -> MetricsTable:
    """Every predictor and every metric that any of them has."""
    return _table(models, present(models), "metrics")


def author_tables(evaluation: Mapping[str, Any]) -> list[tuple[str, str, MetricsTable]]:
    """The leading metrics apart for authors that the model had seen before and had not.

    Returns:
        a title, a sentence and a table (empty where there are too few posts) each.
    """
    models, splits = evaluation["models"], evaluation["splits"]
    metrics = [METRICS[name] for name in LEADING]
    return [
        (
            title,
            f"{splits[f'posts_of_{which}']:,} test posts by authors who {said} in the period "
            "that the model learned from.",
            _table(models, metrics, which),
        )
        for title, which, said in (
            ("Authors seen before", "seen_authors", "also posted"),
            ("Authors never seen", "unseen_authors", "did not post"),
        )
    ]


@dataclass(frozen=True)
class Ablation:
    """What is lost without each kind of input, the most first.

    Attributes:
        metrics: what is lost, a column each; the first one is plotted.
        rows: a label, then value, interval and verdict for each metric.
        parts: the ablation's own entries, in the same order.
    """

    metrics: list[Metric]
    rows: list[tuple[str, list[tuple[str, str, str]]]]
    parts: Sequence[Mapping[str, Any]]


def ablation_rows(evaluation: Mapping[str, Any]) -> Ablation | None:
    """The ablation as a table, or None where there was none."""
    parts = evaluation["ablation"]
    metrics = [
        METRICS[name]
        for name in (WITHIN, SPEARMAN, "r2_log")
        if any(measure(part.get(name)) for part in parts or ())
    ]
    if not metrics:
        return None
    names = _PACKAGED if evaluation["profile"] == "packaged" else {}
    named = [{**part, "label": names.get(part["name"], part["label"])} for part in parts]
    ordered = sorted(named, key=lambda part: -_value(part.get(metrics[0].name)))
    rows = [
        (str(part["label"]), [_loss(metric, measure(part.get(metric.name))) for metric in metrics])
        for part in ordered
    ]
    return Ablation(metrics, rows, ordered)


def _loss(metric: Metric, found: Measure | None) -> tuple[str, str, str]:
    if found is None:
        return "not known", "", ""
    clear = found.low is not None and found.low > 0
    return (
        written(metric, found.value),
        span(metric, found),
        "clear loss" if clear else "no clear loss",
    )


def made_of(evaluation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The model's encoders, by what they encode."""
    packaged = evaluation["profile"] == "packaged"
    names = {**_SPACES, **(_PACKAGED if packaged else {})}
    return [
        (names.get(space, space.capitalize()), _encoder(encoder))
        for space, encoder in (evaluation["encoders"] or {}).items()
    ]


def _encoder(encoder: Any) -> str:
    if isinstance(encoder, Mapping):
        return ", ".join(f"{name} {value}" for name, value in encoder.items())
    return str(encoder)


def _table(
    models: Mapping[str, Mapping[str, Any]], metrics: list[Metric], field: str
) -> MetricsTable:
    judged = [name for name, model in models.items() if model["kind"] in ("model", "baseline")]
    columns = {
        metric.name: {
            name: measure((model.get(field) or {}).get(metric.name))
            for name, model in models.items()
        }
        for metric in metrics
    }
    shown = [metric for metric in metrics if any(columns[metric.name].values())]
    winners = {metric.name: best(metric, columns[metric.name], judged) for metric in shown}
    rows = []
    reasons: dict[tuple[str, str], list[str]] = {}
    for metric in metrics:
        if metric not in shown:
            reasons.setdefault((metric.unknown, "for anyone"), []).append(metric.label)
    for name, model in models.items():
        if not model.get(field):
            continue
        cells = []
        for metric in shown:
            found = columns[metric.name][name]
            why = "" if found else _why(metric, model["kind"])
            if found is None:
                labels = reasons.setdefault((why, "for some"), [])
                labels += [metric.label] if metric.label not in labels else []
            cells.append(
                Cell(
                    value=None if found is None else written(metric, found.value),
                    span="" if found is None else span(metric, found),
                    why=why,
                    best=winners[metric.name] == name,
                )
            )
        seconds = model.get("seconds")
        rows.append(
            Row(
                label=str(model["label"]),
                kind=str(model["kind"]),
                cells=cells,
                seconds="" if seconds is None else f"{seconds:,.1f} s",
            )
        )
    unknown = [
        f"Not known {whom}: {', '.join(labels)} ({why})." for (why, whom), labels in reasons.items()
    ]
    return MetricsTable(shown, rows, unknown)


def _why(metric: Metric, kind: str) -> str:
    if kind == "ceiling":
        return "the simulated law gives no such figure"
    return metric.unknown


def _value(given: Any) -> float:
    found = measure(given)
    return 0.0 if found is None else found.value
