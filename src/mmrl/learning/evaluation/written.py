"""An evaluation's metrics as a table of texts, for Markdown, LaTeX and cards."""

from mmrl.learning.evaluation.metrics import METRICS, Metric, present
from mmrl.learning.evaluation.paired import Paired
from mmrl.learning.evaluation.record import Evaluation, Measure


def metrics_rows(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """The head, and a row a predictor with each metric and its 95% interval.

    A metric that is known of none of them has no column.
    """
    models = evaluation.models.values()
    metrics = [
        metric
        for metric in present(evaluation.models)
        if any(model.metrics.get(metric.name) is not None for model in models)
    ]
    rows = [
        [model.label, *(with_span(metric, model.metrics.get(metric.name)) for metric in metrics)]
        for model in models
    ]
    return ["predictor", *(metric.label for metric in metrics)], rows


def paired_rows(paired: Paired) -> tuple[list[str], list[list[str]]]:
    """The head, and a row a version: each metric that is compared, and how far from the first."""
    metrics = [metric for metric in METRICS.values() if metric.compared]
    rows = []
    for name, measures in paired.metrics.items():
        row = [name]
        for metric in metrics:
            row.append(with_span(metric, measures.get(metric.name)))
            row.append(signed(metric, paired.differences.get(name, {}).get(metric.name)))
        rows.append(row)
    head = [text for metric in metrics for text in (metric.label, "difference")]
    return ["version", *head], rows


def signed(metric: Metric, measure: Measure | None) -> str:
    """A difference with its interval and its sign; empty where it is not known."""
    text = with_span(metric, measure)
    return f"+{text}" if measure is not None and measure.value > 0 else text


def with_span(metric: Metric, measure: Measure | None) -> str:
    """A value with its interval, as `0.36 (0.31 to 0.42)`; empty where it is not known."""
    if measure is None:
        return ""
    span = metric.span(measure)
    return f"{metric.written(measure.value)} ({span})" if span else metric.written(measure.value)
