"""The report's tables, as rows of texts ready to be shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mmrl.learning.evaluation.metrics import METRICS, Metric, best, leading, present
from mmrl.learning.evaluation.record import AblationRow, Evaluation, Measure, Measures, ModelResult

_SPACES = {
    "title": "Title",
    "caption": "Caption",
    "image": "Image",
    "visual": "Image with title",
    "text": "Flair, tags and texts",
    "image_statistics": "Image statistics, version",
}
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


def metrics_rows(models: Mapping[str, ModelResult]) -> MetricsTable:
    """Every predictor and every metric that any of them has."""
    measures = {name: model.metrics for name, model in models.items()}
    return _table(models, measures, present(models))


def author_tables(evaluation: Evaluation) -> list[tuple[str, str, MetricsTable]]:
    """The leading metrics apart for authors that the model had seen before and had not.

    Returns:
        a title, a sentence and a table (empty where there are too few posts) each.
    """
    models, splits = evaluation.models, evaluation.splits
    seen = {name: model.seen_authors for name, model in models.items()}
    unseen = {name: model.unseen_authors for name, model in models.items()}
    learned = "before their block" if splits.earlier_tests else "that the model learned from"
    return [
        (
            title,
            f"{posts:,} test posts by authors who {did} in the period {learned}.",
            _table(models, measures, leading()),
        )
        for title, posts, did, measures in (
            ("Authors seen before", splits.posts_of_seen_authors, "also posted", seen),
            ("Authors never seen", splits.posts_of_unseen_authors, "did not post", unseen),
        )
    ]


@dataclass(frozen=True)
class Ablation:
    """The loss without each kind of input, the largest first.

    Attributes:
        metrics: what is lost, a column each; the first one is plotted.
        rows: a label, then value, interval and verdict for each metric.
        parts: the evaluation's own rows, in the same order.
    """

    metrics: list[Metric]
    rows: list[tuple[str, list[tuple[str, str, str]]]]
    parts: Sequence[AblationRow]


def ablation_rows(evaluation: Evaluation) -> Ablation | None:
    """The ablation as a table, or None where there was none."""
    parts = evaluation.ablation
    metrics = [
        metric
        for metric in METRICS.values()
        if any(part.losses.get(metric.name) is not None for part in parts)
    ]
    if not metrics:
        return None
    names = _PACKAGED if evaluation.profile == "packaged" else {}
    named = [replace(part, label=names.get(part.name, part.label)) for part in parts]
    ordered = sorted(named, key=lambda part: -_value(part.losses.get(metrics[0].name)))
    rows = [
        (part.label, [_loss(metric, part.losses.get(metric.name)) for metric in metrics])
        for part in ordered
    ]
    return Ablation(metrics, rows, ordered)


def _loss(metric: Metric, loss: Measure | None) -> tuple[str, str, str]:
    if loss is None:
        return "not known", "", ""
    clear = loss.interval is not None and loss.low > 0
    return (
        metric.written(loss.value),
        metric.span(loss),
        "clear loss" if clear else "no clear loss",
    )


def made_of(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The model's encoders, by what they encode."""
    packaged = evaluation.profile == "packaged"
    names = {**_SPACES, **(_PACKAGED if packaged else {})}
    return [
        (names.get(space, space.capitalize()), encoder)
        for space, encoder in evaluation.encoders.items()
    ]


def _table(
    models: Mapping[str, ModelResult], measures: Mapping[str, Measures], metrics: list[Metric]
) -> MetricsTable:
    """A row a predictor that has any of its `measures`, a column a metric that any of them has."""
    judged = [name for name, model in models.items() if model.kind in ("model", "baseline")]
    columns = {
        metric.name: {name: row.get(metric.name) for name, row in measures.items()}
        for metric in metrics
    }
    shown = [metric for metric in metrics if any(columns[metric.name].values())]
    winners = {metric.name: best(metric, columns[metric.name], judged) for metric in shown}
    rows = []
    for name, model in models.items():
        if measures[name]:
            cells = [
                _cell(metric, columns[metric.name][name], model, winners[metric.name] == name)
                for metric in shown
            ]
            seconds = "" if model.seconds is None else f"{model.seconds:,.1f} s"
            rows.append(Row(model.label, model.kind, cells, seconds))
    nowhere = [metric for metric in metrics if metric not in shown]
    return MetricsTable(shown, rows, _unknown(nowhere, shown, rows))


def _cell(metric: Metric, measure: Measure | None, model: ModelResult, best: bool) -> Cell:
    if measure is None:
        ceiling = model.kind == "ceiling"
        why = "the simulated law gives no such figure" if ceiling else metric.unknown
        return Cell(None, "", why, best)
    return Cell(metric.written(measure.value), metric.span(measure), "", best)


def _unknown(nowhere: list[Metric], shown: list[Metric], rows: list[Row]) -> list[str]:
    """A sentence a reason why metrics are not known, for anyone or for some predictors."""
    reasons: dict[tuple[str, str], dict[str, None]] = {}  # labels as keys: each once, in order
    for metric in nowhere:
        reasons.setdefault((metric.unknown, "for anyone"), {})[metric.label] = None
    for row in rows:
        for metric, cell in zip(shown, row.cells, strict=True):
            if cell.value is None:
                reasons.setdefault((cell.why, "for some"), {})[metric.label] = None
    return [
        f"Not known {whom}: {', '.join(labels)} ({why})." for (why, whom), labels in reasons.items()
    ]


def _value(measure: Measure | None) -> float:
    return 0.0 if measure is None else measure.value
